//! Which fields does a request have? Read from the API document, so that a new field is tried as soon
//! as it is served.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// Where a field stands in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Json,
    Form,
    Query,
    Path,
}

/// A step from the body to a field in it.
#[derive(Clone, Debug)]
enum Step {
    Member(String),
    Item,
}

/// A field of a request.
pub(super) struct Field {
    pub(super) place: Place,
    /// As a refusal calls it, such as `roles[0]`.
    pub(super) name: String,
    /// The JSON types that it may have.
    pub(super) types: BTreeSet<String>,
    /// Whether a request without it is refused.
    pub(super) is_required: bool,
    steps: Vec<Step>,
}

impl Field {
    /// The member of the body, the query or the path that it is or stands in.
    pub(super) fn member(&self) -> &str {
        self.name.split(['.', '[']).next().unwrap()
    }

    /// Whether it is an item of an array.
    pub(super) fn is_item(&self) -> bool {
        matches!(self.steps.last(), Some(Step::Item))
    }

    /// Puts `value` in its place in a body, or takes away what is there.
    pub(super) fn put(&self, body: &mut Value, value: Option<Value>) {
        put(body, &self.steps, value);
    }
}

fn put(target: &mut Value, steps: &[Step], value: Option<Value>) {
    match (steps.split_first(), value) {
        (None, Some(value)) => *target = value,
        (None, None) => *target = Value::Null,
        (Some((Step::Member(name), [])), None) => {
            // What it stands in is there, and lacks it.
            if !target.is_object() {
                *target = json!({});
            }
            target.as_object_mut().unwrap().remove(name);
        }
        (Some((Step::Member(name), rest)), value) => {
            if !target.is_object() {
                *target = json!({});
            }
            let members = target.as_object_mut().unwrap();
            put(members.entry(name.clone()).or_insert(Value::Null), rest, value);
        }
        (Some((Step::Item, rest)), value) => {
            if target.as_array().is_none_or(Vec::is_empty) {
                *target = json!([null]);
            }
            put(&mut target[0], rest, value);
        }
    }
}

/// What is known of a schema when its references and alternatives are followed.
#[derive(Default)]
struct Shape {
    types: BTreeSet<String>,
    members: BTreeMap<String, Value>,
    required: BTreeSet<String>,
    items: Option<Value>,
}

impl Shape {
    fn of(document: &Value, schema: &Value) -> Self {
        let mut shape = Self::default();
        shape.add(document, schema);
        shape
    }

    fn add(&mut self, document: &Value, schema: &Value) {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap();
            self.add(document, document.pointer(pointer).unwrap());
        }
        for alternatives in ["oneOf", "anyOf", "allOf"] {
            for schema in schema[alternatives].as_array().into_iter().flatten() {
                self.add(document, schema);
            }
        }
        let types =
            std::iter::once(&schema["type"]).chain(schema["type"].as_array().into_iter().flatten());
        self.types.extend(types.filter_map(Value::as_str).map(str::to_owned));
        let members = schema["properties"].as_object().into_iter().flatten();
        self.members.extend(members.map(|(name, schema)| (name.clone(), schema.clone())));
        let required = schema["required"].as_array().into_iter().flatten();
        self.required.extend(required.filter_map(Value::as_str).map(str::to_owned));
        if schema["items"].is_object() {
            self.items = Some(schema["items"].clone());
        }
    }
}

/// Every field of an operation of the document.
pub(super) fn of(document: &Value, operation: &Value) -> Vec<Field> {
    let mut fields = vec![];
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let place = match parameter["in"].as_str().unwrap() {
            "query" => Place::Query,
            "path" => Place::Path,
            // What a header may hold is not a matter of types: see the tests of hostile requests.
            "header" => continue,
            other => panic!("a parameter in {other} is not tried by this test"),
        };
        fields.push(Field {
            place,
            name: parameter["name"].as_str().unwrap().to_owned(),
            types: Shape::of(document, &parameter["schema"]).types,
            is_required: parameter["required"] == true,
            steps: vec![],
        });
    }
    let contents = operation["requestBody"]["content"].as_object().into_iter().flatten();
    for (media_type, content) in contents {
        let place = match media_type.as_str() {
            "application/json" => Place::Json,
            "application/x-www-form-urlencoded" => Place::Form,
            other => panic!("a body of type {other} is not tried by this test"),
        };
        add_members(
            &mut fields,
            document,
            &content["schema"],
            &Above { place, name: "", steps: &[] },
        );
    }
    fields
}

/// What a member stands in.
struct Above<'a> {
    place: Place,
    name: &'a str,
    steps: &'a [Step],
}

fn add_members(fields: &mut Vec<Field>, document: &Value, schema: &Value, above: &Above<'_>) {
    let shape = Shape::of(document, schema);
    for (member, schema) in &shape.members {
        let name = match above.name {
            "" => member.clone(),
            above => format!("{above}.{member}"),
        };
        let steps = [above.steps, &[Step::Member(member.clone())]].concat();
        let is_required = shape.required.contains(member);
        add(
            fields,
            document,
            schema,
            Field { place: above.place, name, steps, is_required, types: BTreeSet::new() },
        );
    }
}

/// Adds a field, and what stands in it.
fn add(fields: &mut Vec<Field>, document: &Value, schema: &Value, field: Field) {
    let shape = Shape::of(document, schema);
    let Field { place, ref name, ref steps, .. } = field;
    add_members(fields, document, schema, &Above { place, name, steps });
    if let Some(items) = &shape.items {
        let steps = [&steps[..], &[Step::Item]].concat();
        let item = Field { name: format!("{name}[0]"), steps, types: BTreeSet::new(), ..field };
        add(fields, document, items, item);
    }
    fields.push(Field { types: shape.types, ..field });
}
