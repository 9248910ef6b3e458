//! How does the API document look to a person? One page without script and without anything from
//! elsewhere, written from the same document that programs read.
//!
//! Everything in it is escaped, although it all comes from this program: a page is not the place to
//! rely on that.
//!
//! Spec: HTTP API, first paragraph.

use std::fmt::Write as _;

use serde_json::Value;

use crate::error;

/// The page's style; its hash stands in [`CONTENT_SECURITY_POLICY`], which a test compares.
const STYLE: &str = include_str!("docs_page.css");

/// Allows the page its own style and nothing else.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
     style-src 'sha256-EqK1HB00Kjs4hLCBzxwKcL5oUEeecdsBgmaKKp9MXoY='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Writes the page for `document`, an OpenAPI document.
pub(crate) fn render(document: &Value) -> String {
    let mut page = String::with_capacity(32 * 1024);
    let title = text(document, "/info/title");
    let version = text(document, "/info/version");
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} API</title><style>{STYLE}</style></head><body>\
         <header><h1>{title} <small>{version}</small></h1>",
        title = escape(title),
        version = escape(version),
    );
    paragraphs(&mut page, text(document, "/info/description"));
    page.push_str("<p><a href=\"/openapi.json\">openapi.json</a></p></header>");
    contents(&mut page, document);
    page.push_str("<main>");
    for tag in items(document, "/tags") {
        section(&mut page, document, tag);
    }
    codes(&mut page);
    page.push_str("</main></body></html>\n");
    page
}

/// The operations of a tag: path, method and the operation itself.
fn operations<'a>(
    document: &'a Value,
    tag: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    let all = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(|(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.filter(move |(_, _, operation)| {
        items(operation, "/tags").any(|name| name.as_str() == Some(tag))
    })
}

fn contents(page: &mut String, document: &Value) {
    page.push_str("<nav aria-label=\"Contents\"><ul>");
    for tag in items(document, "/tags") {
        let name = text(tag, "/name");
        let _ = write!(page, "<li><a href=\"#{0}\">{0}</a><ul>", escape(name));
        for (path, method, operation) in operations(document, name) {
            let id = text(operation, "/operationId");
            let _ = write!(
                page,
                "<li><a href=\"#{}\"><small class=\"{method}\">{method}</small> {}</a></li>",
                escape(id),
                escape(path),
                method = escape(method),
            );
        }
        page.push_str("</ul></li>");
    }
    page.push_str("<li><a href=\"#codes\">codes</a></li></ul></nav>");
}

fn section(page: &mut String, document: &Value, tag: &Value) {
    let name = text(tag, "/name");
    let _ = write!(
        page,
        "<h2 id=\"{0}\">{0}</h2><p>{1}.</p>",
        escape(name),
        escape(text(tag, "/description"))
    );
    for (path, method, operation) in operations(document, name) {
        let _ = write!(
            page,
            "<section id=\"{id}\"><h3><b class=\"{method}\">{method}</b> <code>{path}</code></h3>",
            id = escape(text(operation, "/operationId")),
            method = escape(method),
            path = escape(path),
        );
        paragraphs(page, text(operation, "/summary"));
        paragraphs(page, text(operation, "/description"));
        parameters(page, operation);
        let body = "/requestBody/content/application~1json/schema";
        if let Some(schema) = operation.pointer(body) {
            page.push_str("<h4>Request</h4>");
            members(page, document, schema);
        }
        replies(page, document, operation);
        page.push_str("</section>");
    }
}

fn parameters(page: &mut String, operation: &Value) {
    let mut parameters = items(operation, "/parameters").peekable();
    if parameters.peek().is_none() {
        return;
    }
    page.push_str("<h4>Parameters</h4><table>");
    for parameter in parameters {
        row(
            page,
            text(parameter, "/name"),
            text(parameter, "/in"),
            text(parameter, "/description"),
        );
    }
    page.push_str("</table>");
}

fn replies(page: &mut String, document: &Value, operation: &Value) {
    let replies = operation.get("responses").and_then(Value::as_object);
    for (status, reply) in replies.into_iter().flatten() {
        // The refusal is the same everywhere and stands once, at the end of the page.
        if status == "default" {
            continue;
        }
        let _ = write!(
            page,
            "<h4>{}</h4><p>{}</p>",
            escape(status),
            inline(text(reply, "/description"))
        );
        if let Some(schema) = reply.pointer("/content/application~1json/schema") {
            members(page, document, schema);
        }
    }
}

/// Lists the members of an object, one row each.
fn members(page: &mut String, document: &Value, schema: &Value) {
    let schema = resolve(document, schema);
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let required: Vec<_> = items(schema, "/required").filter_map(Value::as_str).collect();
    let is_required = |name: &str| required.contains(&name);
    page.push_str("<table>");
    // What must be there comes first.
    let (needed, optional): (Vec<_>, Vec<_>) =
        properties.iter().partition(|(name, _)| is_required(name));
    for (name, property) in needed.into_iter().chain(optional) {
        let mut kind = type_name(document, property);
        if !is_required(name) {
            kind.push_str(", optional");
        }
        let own = text(property, "/description");
        let inherited = text(resolve(document, property), "/description");
        row(page, name, &kind, if own.is_empty() { inherited } else { own });
    }
    page.push_str("</table>");
    for property in properties.values() {
        if let Some(items) = property.get("items")
            && items.get("$ref").is_some()
        {
            page.push_str("<h4>Each of them</h4>");
            members(page, document, items);
        }
    }
}

fn row(page: &mut String, name: &str, kind: &str, description: &str) {
    let _ = write!(
        page,
        "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
        escape(name),
        escape(kind),
        inline(description)
    );
}

/// Names the type of a property in a few words.
fn type_name(document: &Value, schema: &Value) -> String {
    let schema = resolve(document, schema);
    for alternatives in ["/oneOf", "/anyOf"] {
        let names: Vec<_> = items(schema, alternatives)
            .map(|schema| type_name(document, schema))
            .filter(|name| name != "null")
            .collect();
        if !names.is_empty() {
            return names.join(" or ");
        }
    }
    let kinds: Vec<_> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind.as_str()],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let kind = kinds.into_iter().find(|kind| *kind != "null").unwrap_or("object");
    match schema.get("items") {
        Some(items) if kind == "array" => format!("array of {}", type_name(document, items)),
        _ => kind.to_owned(),
    }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema.get("$ref").and_then(Value::as_str);
    let target = reference.and_then(|target| document.pointer(target.strip_prefix('#')?));
    target.unwrap_or(schema)
}

fn codes(page: &mut String) {
    page.push_str(
        "<h2 id=\"codes\">codes</h2><p>Every refusal is \
         <code>{\"error\", \"code\", \"details\", \"requestId\"}</code>. <code>code</code> is one of \
         these; <code>details</code> names members of the request.</p><table>",
    );
    for code in error::reference() {
        let status = code.status.to_string();
        row(page, code.code, &status, &format!("{} {}", code.meaning, code.advice));
    }
    page.push_str("</table>");
}

fn paragraphs(page: &mut String, text: &str) {
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let _ = write!(page, "<p>{}</p>", inline(paragraph));
    }
}

/// Escapes `text` and sets what stands between backquotes as code.
fn inline(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for (index, part) in text.split('`').enumerate() {
        let part = escape(part);
        if index % 2 == 1 {
            let _ = write!(html, "<code>{part}</code>");
        } else {
            html.push_str(&part);
        }
    }
    html
}

/// Makes `text` text, wherever in a page it stands.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// By what a policy allows `style` and no other (Content Security Policy Level 3, section 2.3.1, "hash-source").
#[cfg(test)]
pub(crate) fn hash_source(style: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
    format!("'sha256-{}'", data_encoding::BASE64.encode(digest.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_exactly_this_style() {
        let source = hash_source(STYLE);
        assert!(CONTENT_SECURITY_POLICY.contains(&source), "the style's hash is now {source}");
    }

    #[test]
    fn text_is_escaped_everywhere() {
        assert_eq!(inline("a `<b>` & \"c\""), "a <code>&lt;b&gt;</code> &amp; &quot;c&quot;");
        let hostile = serde_json::json!({
            "info": {"title": "<script>", "version": "1", "description": "'><img src=x>"},
            "tags": [{"name": "<t>", "description": "<d>"}],
            "paths": {"/<p>": {"get": {"tags": ["<t>"], "operationId": "\"x", "summary": "<s>"}}},
        });
        let page = render(&hostile);
        for raw in ["<script", "<img", "<t>", "<d>", "<p>\"", "/<p>", "<s>", "=\"\"x"] {
            assert!(!page.contains(raw), "{raw}");
        }
    }
}
