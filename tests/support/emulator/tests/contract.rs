//! The recorded contract (tests/contract): every case against the emulator, or against the server that `BASE_URL`, `ROOT_KEY`, `READONLY_KEY`
//! and `CLEAN_KEY` (a root key of a workspace without identities) name. It must not know any case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // A test says what is wrong by failing.

mod client;
mod replay;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use client::Client;
use replay::{Target, cases, replay};
use serde_json::{Value, json};
use unkey_emulator::{Emulator, Options, Permissions};

#[tokio::test]
async fn every_recorded_case_agrees() {
    let server = named_server();
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let client = Client::new();
    // Random, so that a second run against the same server does not meet the names of the first.
    let run = u32::try_from(RandomState::new().build_hasher().finish() >> 40).unwrap();
    let (mut passed, mut failed) = (0, 0);
    for (number, case) in cases().iter().enumerate() {
        let target = server.as_ref().map_or_else(
            || emulated(&emulator, case.clean, number),
            |(shared, clean)| {
                if case.clean { clean.clone() } else { shared.clone() }
            },
        );
        let differences = replay(&client, &target, case, run, number).await;
        if differences.is_empty() {
            passed += 1;
        } else {
            failed += 1;
            println!("FAILED {}", differences.join("\n"));
        }
        if case.clean && server.is_some() {
            empty(&client, &target).await;
        }
    }
    println!("{passed} passed, {failed} failed");
    assert_eq!(failed, 0, "cases that disagree with the recording; {passed} passed");
    assert_eq!(passed, 123, "the recording lost or gained cases");
}

/// A workspace that all share, or a fresh one for a clean case.
fn emulated(emulator: &Emulator, clean: bool, number: usize) -> Target {
    let workspace = if clean { format!("clean-{number}") } else { "shared".to_owned() };
    let (key, readonly) = (format!("unkey_{workspace}"), format!("unkey_{workspace}_readonly"));
    emulator.add_root_key(&key, &workspace, Permissions::ALL);
    emulator.add_root_key(&readonly, &workspace, Permissions::READ_ONLY);
    Target { base_url: emulator.base_url(), key, readonly }
}

#[allow(clippy::disallowed_methods)] // The contract's README promises these variables; there is no command line to a test.
fn named_server() -> Option<(Target, Target)> {
    let base_url = std::env::var("BASE_URL").ok()?;
    let need = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("BASE_URL is set, so {name} must be too"));
    let base_url = base_url.trim_end_matches('/').to_owned();
    let shared = Target { base_url, key: need("ROOT_KEY"), readonly: need("READONLY_KEY") };
    let clean = Target { key: need("CLEAN_KEY"), ..shared.clone() };
    Some((shared, clean))
}

/// Deletes what a clean case left, for the next one.
async fn empty(client: &Client, target: &Target) {
    let call = async |operation: &str, body: Value| {
        let url = format!("{}/v2/identities.{operation}", target.base_url);
        client.post(&url, &target.key, &body).await.expect("the server answers").json()
    };
    loop {
        let page = call("listIdentities", json!({})).await;
        let items = page["data"].as_array().expect("the clean workspace can be listed").clone();
        if items.is_empty() {
            return;
        }
        for item in items {
            call("deleteIdentity", json!({"identity": item["id"]})).await;
        }
    }
}
