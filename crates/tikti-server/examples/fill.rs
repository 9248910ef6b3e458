//! Fills a directory of `tikti dev` with users, to see how a deployment of that size behaves.
//!
//! `cargo run --release -p tikti-server --example fill -- DIR USERS [TENANT_ID]`: makes `USERS` users
//! without passwords, each a member of the tenant where one is named. The server must not run. Every
//! user is made by the operation that the service uses, intents and claims included.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use tikti_domain::Domain;
use tikti_domain::account::{NewUser, create_user};
use tikti_domain::clock::Clock;
use tikti_domain::email::Email;
use tikti_domain::error::Error as Refused;
use tikti_domain::id::TenantId;
use tikti_domain::random::Random;
use tikti_domain::tenancy::add_member;
use tikti_domain::user::GlobalRole;
use tikti_server::dev;
use tokio::task::JoinSet;

/// How many users are made at the same time: they share the waits for the disk.
const TOGETHER: usize = 64;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("the directory is missing")?);
    let users: u32 = arguments.next().ok_or("the number of users is missing")?.parse()?;
    let tenant = arguments.next().map(|id| TenantId::parse(&id)).transpose()?;

    let setup = dev::prepare(&directory, None)?;
    let config = setup.config("http://127.0.0.1:8080");
    let store = config.store.open("the fill example").await?;
    let domain = Domain::open(store, config.domain, Clock::system(), Random::system()).await?;
    let domain = Arc::new(domain);

    let mut tasks = JoinSet::new();
    for number in 0..users {
        if tasks.len() >= TOGETHER
            && let Some(made) = tasks.join_next().await
        {
            made??;
        }
        tasks.spawn(make(Arc::clone(&domain), number, tenant.clone()));
    }
    while let Some(made) = tasks.join_next().await {
        made??;
    }
    Ok(())
}

async fn make(domain: Arc<Domain>, number: u32, tenant: Option<TenantId>) -> Result<(), Refused> {
    let now = Clock::system().now();
    let email = Email::parse(&format!("user{number:07}@example.org"))?;
    let new = NewUser { email, password_hash: None, role: GlobalRole::CompanyEmployee };
    let user = create_user(&domain, new, now).await?;
    if let Some(tenant) = tenant {
        add_member(&domain, &tenant, &user.id, BTreeSet::new(), now).await?;
    }
    Ok(())
}
