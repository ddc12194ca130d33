//! Clients and calls that every test makes alike.

use std::time::Duration;

use futures::future::join_all;
use secrecy::SecretString;
use unkey::{
    Class, Client, CreateIdentity, Credentials, Effect, Error, Operation, Options, RatelimitSpec, UpdateIdentity,
};

/// No part of it occurs in anything else, so any trace of it is a leak.
pub const KEY: &str = "unkey_root_CANARYq7x2v9";

/// Long enough that no test ends by it on a busy machine.
pub const PATIENT: Duration = Duration::from_secs(60);
/// For tests that must end by it.
pub const SHORT: Duration = Duration::from_millis(300);

pub fn credentials() -> Credentials {
    Credentials::from_value(&SecretString::from(KEY)).unwrap()
}

pub fn client(base_url: &str, request_timeout: Duration) -> Client {
    let options = Options { base_url: base_url.to_owned(), request_timeout, ..Options::default() };
    Client::new(&options, credentials()).unwrap()
}

pub async fn call(client: &Client, operation: Operation) -> Result<(), Error> {
    let ratelimits = [RatelimitSpec { name: "requests".into(), limit: 1, duration: 1000, auto_apply: false }];
    match operation {
        Operation::Create => {
            let request = CreateIdentity { external_id: "user_1", meta: None, ratelimits: Some(&ratelimits) };
            client.create(&request).await.map(drop)
        }
        Operation::Get => client.get("user_1").await.map(drop),
        Operation::Update => {
            let request = UpdateIdentity { identity: "id_1", meta: None, ratelimits: Some(&[]) };
            client.update(&request).await.map(drop)
        }
        Operation::Delete => client.delete("id_1").await.map(drop),
        Operation::List => client.list(100, None).await.map(drop),
    }
}

/// The errors of all five operations at once.
pub async fn failures(client: &Client) -> Vec<Error> {
    join_all(Operation::ALL.map(|operation| call(client, operation)))
        .await
        .into_iter()
        .map(|outcome| outcome.expect_err("the call must fail"))
        .collect()
}

/// What an answer that never came means: a write is of unknown outcome, a read is tried again.
pub fn assert_lost(error: &Error) {
    let class = if error.operation().is_write() { Class::UnknownOutcome } else { Class::Transient };
    assert_eq!((error.class(), error.effect()), (class, Effect::Unknown), "{error:?}");
}
