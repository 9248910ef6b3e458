//! `tikti user create`: a user with a password, or one who sets his own by the link of a mail.
//!
//! A password is asked for on a terminal or read from a pipe, never taken from the command line. Where there
//! is to be none, the user is made with a random one that nobody gets to know: the call wants one.
//!
//! Spec: Command line, `user`; HTTP API, "Identity" (`signUp`, `/v1/users/{id}/passwordReset`).

use clap::Args;
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret, SecretString};
use tikti_server::api::{EmptyReply, SendOobCodeReply, SignUpReply, SignUpRequest};

use super::tenant::reference;
use super::token::words;
use crate::context::Context;
use crate::exit::Failure;
use crate::input;
use crate::session::Session;

/// Make a user, with a password or with a mail by which he sets one
#[derive(Args)]
#[command(after_help = "\
Examples:
  tikti user create ann@example.org --no-password
  tikti user create ann@example.org --password-stdin \\
      --tenant codecompany --roles BILLING < password.txt")]
pub(crate) struct CreateArgs {
    /// E-mail address of the user
    #[arg(value_name = "EMAIL")]
    email: String,
    /// Read the password from standard input; one line end is stripped
    #[arg(long)]
    password_stdin: bool,
    /// No password: mail the user a link by which he sets one
    #[arg(long, conflicts_with = "password_stdin")]
    no_password: bool,
    /// Role towards the deployment: ADMIN, COMPANY_ADMIN or COMPANY_EMPLOYEE [default: COMPANY_EMPLOYEE]
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Tenant that the user becomes a member of, by id or slug
    #[arg(long, value_name = "REF", value_parser = reference)]
    tenant: Option<String>,
    /// Roles in that tenant, with spaces or commas between them [default: TENANT_USER]
    #[arg(long, value_name = "ROLES", requires = "tenant")]
    roles: Vec<String>,
}

pub(crate) async fn run(context: &Context, args: &CreateArgs) -> Result<(), Failure> {
    let roles = words("--roles", &args.roles)?;
    let session = Session::open_with_api_key(context).await?;
    let given = password(context, args)?;
    // Before a user is there who has no way in.
    if given.is_none() && session.target.api_key.is_none() {
        return Err(Failure::usage("without an API key of the server no mail can be sent")
            .next("store it: `tikti init --host URL --api-key KEY`, or give a password"));
    }
    let password = given.clone().map_or_else(unknown_password, Ok)?;
    let request = SignUpRequest {
        email: args.email.clone(),
        password: password.expose_secret().to_owned(),
        role: args.role.clone(),
        tenant_id: args.tenant.clone(),
        roles,
    };
    let url = session.url(&["v1", "accounts", "signUp"]);
    let user: SignUpReply = session.post(url, &request).await?;
    let output = session.output();
    output.done(&format!("User {} created ({})", args.email, user.local_id));
    output.answer(&user, "", &user.local_id)?;
    if given.is_none() {
        mail(&session, &user.local_id).await.map_err(|failure| {
            let email = &args.email;
            failure.next(format!(
                "the user is made, the mail is not sent: `tikti user reset-password {email}`"
            ))
        })?;
        output.note("A link to set a password is on its way to this address.");
    }
    Ok(())
}

/// Has a link to set a new password mailed to a user.
pub(crate) async fn mail(session: &Session<'_>, id: &str) -> Result<SendOobCodeReply, Failure> {
    session.post(session.url(&["v1", "users", id, "passwordReset"]), &EmptyReply {}).await
}

/// The password that is given; none where the user is to set one.
fn password(context: &Context, args: &CreateArgs) -> Result<Option<SecretString>, Failure> {
    if args.no_password {
        return Ok(None);
    }
    if args.password_stdin {
        return input::piped_password().map(Some);
    }
    if !input::is_interactive() {
        return Err(Failure::usage("there is no terminal to ask for the password").next(
            "pipe it with --password-stdin, or say --no-password: then the user sets one by mail",
        ));
    }
    context.output.note("Leave it empty, and the user sets one by mail.");
    let password = input::ask_secret(&format!("Password of {}", args.email))?;
    if password.expose_secret().is_empty() {
        return Ok(None);
    }
    if input::ask_secret("Once more")?.expose_secret() != password.expose_secret() {
        return Err(Failure::usage("the two are not the same; nothing was done"));
    }
    Ok(Some(password))
}

fn unknown_password() -> Result<SecretString, Failure> {
    let mut bytes = [0; 32];
    #[expect(clippy::disallowed_methods, reason = "a password that nobody knows; no domain here")]
    let filled = aws_lc_rs::rand::fill(&mut bytes);
    filled.map_err(|_| Failure::refused("the system gives no random bytes"))?;
    Ok(SecretString::from(BASE64URL_NOPAD.encode(&bytes)))
}
