//! The program: its one line, its arguments, its end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // A test says what is wrong by failing.

mod client;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Output, Stdio};

use client::Client;
use serde_json::json;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unkey-emulator"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = program(arguments).output().unwrap();
    assert_eq!(stdout, b"");
    let message = String::from_utf8(stderr).unwrap();
    assert_eq!(message.lines().count(), 1, "{message}");
    (status.code(), message)
}

#[tokio::test]
async fn it_says_where_it_listens_serves_and_stops_at_sigterm() {
    let arguments = ["--listen", "127.0.0.1:0", "--root-key", "k=w", "--root-key", "reader=w:read", "--latency", "1ms"];
    let limits = ["--replica-lag", "1m", "--limit-per-minute", "100", "--mask-permissions"];
    let mut child = program(&[&arguments[..], &limits[..]].concat()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let base_url = line.strip_prefix("unkey-emulator listening on ").unwrap().split(' ').next().unwrap().to_owned();
    assert!(line.contains("(in memory: a test double, not a server to keep data in)"));
    let client = Client::new();
    let ask = async |key: &str, operation: &str, body: serde_json::Value| {
        client.post(&format!("{base_url}/v2/identities.{operation}"), key, &body).await.unwrap()
    };
    let created = ask("k", "createIdentity", json!({"externalId": "a"})).await;
    assert_eq!((created.status, created.header("ratelimit-limit")), (200, "100"));
    assert_eq!(ask("reader", "createIdentity", json!({"externalId": "b"})).await.status, 403);
    assert_eq!(ask("reader", "getIdentity", json!({"identity": "a"})).await.status, 404, "the replica lags");
    assert_eq!(ask("reader", "deleteIdentity", json!({"identity": "a"})).await.status, 404, "masked");
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "one line and no more");
}

#[test]
fn bad_arguments_are_refused_in_one_sentence() {
    for (arguments, why) in [
        (["--root-key", "k"], "it must be KEY=WORKSPACE or KEY=WORKSPACE:read,create,update,delete"),
        (["--root-key", "=w"], "it must be KEY=WORKSPACE"),
        (["--root-key", "k="], "it must be KEY=WORKSPACE"),
        (["--root-key", "k=w:write"], "unknown permission \"write\""),
        (["--root-key", "k=w:"], "unknown permission \"\""),
        (["--latency", "20"], "its unit must be ms, s or m"),
        (["--replica-lag", "soon"], "it must be a whole number and a unit"),
        (["--listen", "nowhere"], "invalid socket address"),
    ] {
        let (code, message) = refused(&arguments);
        assert_eq!(code, Some(2), "{message}");
        assert!(message.contains(arguments[0]) && message.contains(why), "{message}");
    }
}

#[test]
fn a_taken_port_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, message) = refused(&["--listen", &taken.local_addr().unwrap().to_string()]);
    assert_eq!(code, Some(1));
    assert!(message.starts_with("error: cannot listen on 127.0.0.1:"), "{message}");
}
