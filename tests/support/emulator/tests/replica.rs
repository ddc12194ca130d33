//! What a lagging read replica and stale reads do to every operation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // A test says what is wrong by failing.

mod server;

use serde_json::{Value, json};
use server::{Server, ratelimits};
use unkey_emulator::Operation::{Delete, List, Update};
use unkey_emulator::Snapshot;

const LAG: u64 = 1000;

fn stored(server: &Server) -> Snapshot {
    server.state.snapshot("ws")
}

#[test]
fn get_list_update_and_delete_do_not_see_a_fresh_identity_but_create_does() {
    let mut server = Server::lagging(LAG);
    server.create("a", &[]);
    server.now += LAG - 1;
    assert_eq!(server.get("a").error(), "identity_not_found");
    assert_eq!(server.ask(List, &json!({})).body["data"], json!([]));
    assert_eq!(server.ask(Update, &json!({"identity": "a", "meta": {}})).error(), "identity_not_found");
    assert_eq!(server.delete("a").error(), "identity_not_found");
    let again = server.ask(unkey_emulator::Operation::Create, &json!({"externalId": "a"}));
    assert_eq!(again.error(), "identity_already_exists");
    server.now += 1;
    assert_eq!(server.get("a").status, 200);
    assert_eq!(server.delete("a").status, 200);
}

#[test]
fn get_after_update_shows_the_old_data() {
    let mut server = Server::lagging(LAG);
    server.create("a", &[]);
    server.now += LAG;
    assert_eq!(server.ask(Update, &json!({"identity": "a", "meta": {"v": 1}})).body["data"]["meta"], json!({"v": 1}));
    assert_eq!(server.get("a").body["data"].get("meta"), None);
    server.now += LAG;
    assert_eq!(server.get("a").body["data"]["meta"], json!({"v": 1}));
}

#[test]
fn an_update_does_not_delete_a_limit_that_the_replica_does_not_show() {
    let mut server = Server::lagging(LAG);
    server.create("a", &["one"]);
    server.now += LAG;
    server.update_limits("a", &["two"]);
    // The replica shows `one` still, which is gone, and not `two`.
    let answer = server.update_limits("a", &["three"]);
    assert_eq!(answer.names(), ["three"]);
    let names: Vec<_> = stored(&server).live[0].ratelimits.iter().map(|limit| limit.name.clone()).collect();
    assert_eq!(names, ["three", "two"]);
}

#[test]
fn an_update_by_a_stale_read_answers_an_id_that_is_not_stored() {
    let mut server = Server::lagging(LAG);
    server.create("a", &[]);
    server.now += LAG;
    let first = server.update_limits("a", &["one"]).body["data"]["ratelimits"][0]["id"].clone();
    let second = server.update_limits("a", &["one"]).body["data"]["ratelimits"][0]["id"].clone();
    assert_ne!(first, second);
    assert_eq!(Value::from(stored(&server).live[0].ratelimits[0].id.clone()), first);
}

#[test]
fn an_update_by_a_stale_read_does_not_make_a_limit_again_that_is_gone() {
    let mut server = Server::lagging(LAG);
    server.create("a", &["one"]);
    server.now += LAG;
    server.update_limits("a", &[]);
    assert_eq!(server.update_limits("a", &["one"]).names(), ["one"]);
    assert_eq!(stored(&server).live[0].ratelimits, []);
}

#[test]
fn an_update_by_a_stale_read_changes_a_dead_row() {
    let mut server = Server::lagging(LAG);
    server.create("a", &[]);
    server.now += LAG;
    assert_eq!(server.delete("a").status, 200);
    assert_eq!(server.ask(Update, &json!({"identity": "a", "meta": {"late": true}})).status, 200);
    assert_eq!(stored(&server).live, []);
    assert_eq!(stored(&server).dead[0].meta, json!({"late": true}));
    server.now += LAG;
    assert_eq!(server.ask(Update, &json!({"identity": "a", "meta": {}})).error(), "identity_not_found");
}

#[test]
fn an_update_of_a_hard_deleted_row_is_an_error_and_its_delete_is_not() {
    let mut server = Server::lagging(LAG);
    let first = server.create("a", &[]);
    server.now += LAG;
    server.delete("a");
    server.create("a", &[]);
    server.now += LAG;
    // The second delete removes the first row for good; a read from before the first delete still shows it.
    server.delete("a");
    let before_all = server.now - LAG;
    let body = json!({"identity": first, "meta": {}}).to_string();
    let stale = |request| unkey_emulator::state::Request { read_at_ms: before_all, ..request };
    assert_eq!(server.send(Update, body.as_bytes(), stale, "Bearer key").error(), "unexpected_error");
    let body = json!({"identity": first}).to_string();
    assert_eq!(server.send(Delete, body.as_bytes(), stale, "Bearer key").status, 200);
}

#[test]
fn a_second_delete_is_200_until_the_replica_knows() {
    let mut server = Server::lagging(LAG);
    server.create("a", &[]);
    server.now += LAG;
    assert_eq!(server.delete("a").status, 200);
    assert_eq!(server.delete("a").status, 200);
    server.now += LAG;
    assert_eq!(server.delete("a").error(), "identity_not_found");
}

#[test]
fn parallel_updates_that_read_before_any_committed_do_not_converge() {
    let mut server = Server::lagging(0);
    server.create("a", &[]);
    let read_at = server.now;
    for number in 0..20 {
        server.now += 1;
        let body = json!({"identity": "a", "ratelimits": ratelimits(&[&format!("limit{number}")])}).to_string();
        let early = |request| unkey_emulator::state::Request { read_at_ms: read_at, ..request };
        assert_eq!(server.send(Update, body.as_bytes(), early, "Bearer key").status, 200);
    }
    assert_eq!(stored(&server).live[0].ratelimits.len(), 20);
}

#[test]
fn history_is_forgotten_but_never_what_the_replica_still_shows() {
    let mut server = Server::lagging(LAG);
    server.create("a", &[]);
    for version in 0..200 {
        server.now += 700;
        server.ask(Update, &json!({"identity": "a", "meta": {"version": version}}));
    }
    // The newest commit that is at least one lag old.
    assert_eq!(server.get("a").body["data"]["meta"], json!({"version": 197}));
    server.now += LAG;
    assert_eq!(server.get("a").body["data"]["meta"], json!({"version": 199}));
}
