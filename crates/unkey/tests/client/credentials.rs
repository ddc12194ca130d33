//! The root key: rotation while running, absence, and the environment.

use std::process::Command;

use unkey::{Class, Client, ConfigError, CredentialError, Credentials, Effect, Fault, Options};

use crate::server::{Server, ok};
use crate::support::{KEY, PATIENT, client, credentials, failures};

fn gone() -> String {
    ok(r#"{"meta":{"requestId":"req_1"}}"#)
}

#[tokio::test]
async fn the_key_is_read_anew_for_each_call() {
    let server = Server::saying(gone()).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root-key");
    let options = Options { base_url: server.url(), ..Options::default() };
    let client = Client::new(&options, Credentials::from_file(&path)).unwrap();

    for error in failures(&client).await {
        assert_eq!((error.class(), error.effect()), (Class::Credential, Effect::NotSent), "{error:?}");
        assert!(matches!(error.fault(), Fault::Credential(CredentialError::Missing { .. })));
    }
    assert!(matches!(client.credential_mark(), Err(CredentialError::Missing { .. })));
    assert_eq!(server.connections(), 0);

    let mut marks = Vec::new();
    for key in ["unkey_first", "unkey_again", "unkey_first"] {
        std::fs::write(&path, format!("{key}\n")).unwrap();
        client.delete("id_1").await.unwrap();
        assert!(server.requests().last().unwrap().contains(&format!("authorization: Bearer {key}\r\n")));
        marks.push(client.credential_mark().unwrap());
    }
    assert!(marks[0] == marks[2] && marks[0] != marks[1] && marks[0].len() == 12, "{marks:?}");
}

#[test]
fn options_that_cannot_work_are_refused() {
    let build = |options: Options| Client::new(&options, credentials());
    let url = Options { base_url: "api.unkey.com".into(), ..Options::default() };
    assert!(matches!(build(url), Err(ConfigError::BaseUrl(_))));
    let timeout = Options { request_timeout: std::time::Duration::ZERO, ..Options::default() };
    assert!(matches!(build(timeout), Err(ConfigError::Timeout)));
    let agent = Options { user_agent: "two\nlines".into(), ..Options::default() };
    assert!(matches!(build(agent), Err(ConfigError::UserAgent)));
    assert_eq!(build(Options::default()).unwrap().base_url(), "https://api.unkey.com");
}

const TARGET: &str = "CLIENT_TEST_TARGET";

/// The environment is set for a child, because changing one's own is unsafe beside other threads. The child is this
/// test in another process: it makes one call, and its parent sees where that went.
#[tokio::test(flavor = "multi_thread")]
async fn the_environment_gives_the_key_and_no_proxy() {
    #[expect(clippy::disallowed_methods, reason = "how the parent tells its child where the server is")]
    if let Ok(target) = std::env::var(TARGET) {
        let options = Options { base_url: target, ..Options::default() };
        drop(Client::new(&options, Credentials::from_env().unwrap()).unwrap().delete("id_1").await.unwrap());
        return;
    }
    let (server, proxy) = (Server::saying(gone()).await, Server::saying(gone()).await);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "credentials::the_environment_gives_the_key_and_no_proxy"])
        .env(TARGET, server.url())
        .env("UNKEY_ROOT_KEY", KEY);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, proxy.url());
    }
    child.env_remove("no_proxy").env_remove("NO_PROXY");
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!((server.requests().len(), proxy.connections()), (1, 0));
    assert!(server.requests()[0].contains(&format!("authorization: Bearer {KEY}\r\n")));
}

#[tokio::test]
async fn clones_share_connections() {
    let server = Server::start(|mut connection, _| async move {
        while connection.request().await.is_some() {
            connection.send(ok(r#"{"meta":{"requestId":"req_1"}}"#).as_bytes()).await;
        }
    })
    .await;
    let client = client(&server.url(), PATIENT);
    for _ in 0..3 {
        client.clone().delete("id_1").await.unwrap();
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 3));
}
