//! The five operations where the recording does not reach: deletion, lookup, names, the list, permissions, the workspace limit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // A test says what is wrong by failing.

mod server;

use serde_json::{Value, json};
use server::{Server, ratelimits};
use unkey_emulator::Operation::{Create, Delete, Get, List, Update};
use unkey_emulator::state::KeyStatus;
use unkey_emulator::{Permissions, Settings};

fn server() -> Server {
    Server::lagging(0)
}

#[test]
fn one_live_and_one_dead_row_per_external_id() {
    let mut server = server();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(server.create("a", &["one"]));
        assert_eq!(server.ask(Create, &json!({"externalId": "a"})).error(), "identity_already_exists");
        server.delete("a");
    }
    let snapshot = server.state.snapshot("ws");
    assert_eq!(snapshot.live, []);
    let dead: Vec<_> = snapshot.dead.iter().map(|identity| (&identity.id, identity.ratelimits.len())).collect();
    assert_eq!(dead, [(&ids[2], 1)]);
    assert_eq!(server.get(&ids[0]).error(), "identity_not_found");
}

#[test]
fn the_internal_id_wins_over_the_external_id_and_a_delete_hits_it() {
    let mut server = server();
    let id = server.create("a", &[]);
    server.create(&id, &[]);
    assert_eq!(server.get(&id).body["data"]["externalId"], "a");
    server.delete(&id);
    let live = server.state.snapshot("ws").live;
    assert_eq!(live.iter().map(|identity| &identity.external_id).collect::<Vec<_>>(), [&id]);
}

#[test]
fn names_that_the_collation_takes_for_one_are_stored_once() {
    let mut server = server();
    server.create("a", &[]);
    let answer = server.update_limits("a", &["abc", "abc\u{200b}", "Abc", "abc "]);
    assert_eq!(answer.names().len(), 4);
    assert_eq!(server.get("a").names(), ["Abc", "abc ", "abc\u{200b}"]);
    assert_eq!(server.update_limits("a", &["abc", "abc"]).error(), "invalid_input");
}

#[test]
fn an_update_tells_the_meta_it_was_sent_and_nothing_else() {
    let mut server = server();
    server.ask(Create, &json!({"externalId": "a", "meta": {"kept": true}, "ratelimits": ratelimits(&["one"])}));
    let answer = server.ask(Update, &json!({"identity": "a"}));
    assert_eq!(answer.body["data"].get("meta"), None);
    assert_eq!(answer.names(), ["one"]);
    assert_eq!(server.get("a").body["data"]["meta"], json!({"kept": true}));
}

#[test]
fn a_kept_limit_keeps_its_id() {
    let mut server = server();
    server.create("a", &["one", "two"]);
    let id = server.get("a").body["data"]["ratelimits"][0]["id"].clone();
    server.update_limits("a", &["three", "one"]);
    let after = server.get("a").body["data"]["ratelimits"].clone();
    assert_eq!((&after[0]["name"], &after[0]["id"]), (&json!("one"), &id));
    assert_eq!(after[1]["name"], "three");
}

#[test]
fn the_list_walks_by_id_with_an_inclusive_cursor() {
    let mut server = server();
    let mut ids: Vec<_> = (0..250).map(|number| server.create(&format!("u{number}"), &[])).collect();
    // a < A < b, and digits first: not the order of bytes.
    ids.sort_by_key(|id| (id.to_lowercase(), id.chars().map(char::is_uppercase).collect::<Vec<_>>()));
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = server.ask(List, &cursor.map_or(json!({}), |cursor| json!({"cursor": cursor})));
        let items = page.body["data"].as_array().unwrap().clone();
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        cursor = page.body["pagination"]["cursor"].as_str().map(ToOwned::to_owned);
        assert_eq!(page.body["pagination"]["hasMore"], cursor.is_some());
        if cursor.is_none() {
            assert_eq!(items.len(), 50);
            break;
        }
        assert_eq!(items.len(), 100);
    }
    assert_eq!(seen, ids);
}

#[test]
fn search_ignores_case_and_has_no_wildcards() {
    let mut server = server();
    server.create("Team_A", &[]);
    server.create("teamxa", &[]);
    let found = server.ask(List, &json!({"search": "TEAM_"})).body["data"].clone();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["externalId"], "Team_A");
}

#[test]
fn one_large_meta_breaks_every_page_at_or_before_it() {
    let mut server = server();
    for number in 0..20 {
        server.create(&format!("u{number}"), &[]);
    }
    // `{"a":"…"}` is eight bytes longer than its text.
    let meta = |size: usize| json!({"a": "x".repeat(size - 8)});
    let large = server.ask(Create, &json!({"externalId": "large", "meta": meta(261_992)}));
    let id = large.body["data"]["identityId"].as_str().unwrap();
    assert_eq!(server.ask(List, &json!({"limit": 1})).error(), "unexpected_error");
    assert_eq!(server.ask(List, &json!({"cursor": id})).error(), "unexpected_error");
    assert_eq!(server.ask(List, &json!({"cursor": format!("{id}0")})).status, 200);
    assert_eq!(server.get("large").status, 200);
    server.ask(Update, &json!({"identity": "large", "meta": meta(261_991)}));
    assert_eq!(server.ask(List, &json!({"limit": 1})).status, 200);
}

#[test]
fn each_operation_needs_its_permission_in_its_place() {
    let mut server = server();
    server.key("none", Permissions::NONE);
    let refused = |answer: server::Answer| (answer.status, answer.error().to_owned());
    let forbidden = (403, "insufficient_permissions".to_owned());
    let ask =
        |server: &mut Server, operation, body: Value| server.ask_as("none", operation, body.to_string().as_bytes());
    assert_eq!(ask(&mut server, List, json!({})).status, 200);
    assert_eq!(ask(&mut server, Get, json!({"identity": "a"})).status, 404);
    server.create("a", &[]);
    assert_eq!(refused(ask(&mut server, Get, json!({"identity": "a"}))), forbidden);
    assert_eq!(refused(ask(&mut server, List, json!({}))), forbidden);
    assert_eq!(refused(ask(&mut server, Create, json!({"externalId": "a"}))), forbidden);
    assert_eq!(refused(ask(&mut server, Update, json!({"identity": "nobody"}))), forbidden);
    let answer = ask(&mut server, Delete, json!({"identity": "nobody"}));
    assert_eq!(
        answer.body["error"]["detail"],
        "Missing one of these permissions: identity.*.delete_identity or unkey:v1:ws:projects/*/identities/*#delete_identity"
    );
}

/// By this an empty workspace is told from a hidden one: the permission is looked at before the size, and that before anything is written.
#[test]
fn a_create_that_is_too_large_is_refused_only_to_who_may_create() {
    let mut server = server();
    server.key("none", Permissions::NONE);
    let body = json!({"externalId": "a", "meta": {"large": "<".repeat(200_000)}});
    let answer = server.ask(Create, &body);
    assert_eq!((answer.status, answer.error()), (400, "invalid_input"));
    assert!(answer.body["error"]["detail"].as_str().unwrap().starts_with("Metadata is too large"));
    assert_eq!(server.ask_as("none", Create, body.to_string().as_bytes()).error(), "insufficient_permissions");
    assert_eq!(server.state.snapshot("ws").live, []);
}

#[test]
fn what_is_wrong_with_a_root_key_or_its_workspace_has_its_own_type() {
    let mut server = server();
    let kind = |server: &mut Server| {
        let answer = server.get("a");
        (answer.status, answer.error().to_owned())
    };
    let expect = |server: &mut Server, status: u16, error: &str| assert_eq!(kind(server), (status, error.to_owned()));
    server.state.set_key_status("key", KeyStatus::Disabled);
    expect(&mut server, 403, "key_disabled");
    server.state.set_key_status("key", KeyStatus::Expired);
    expect(&mut server, 403, "forbidden");
    server.state.set_key_status("key", KeyStatus::Active);
    server.state.settings_mut("ws").unwrap().disabled = true;
    expect(&mut server, 403, "workspace_disabled");
    server.state.remove_workspace("ws");
    expect(&mut server, 404, "workspace_not_found");
    server.state.remove_key("key");
    expect(&mut server, 401, "key_not_found");
}

#[test]
fn the_workspace_limit_counts_what_is_authenticated_and_allowed() {
    let mut server = Server::new(Settings { limit_per_minute: Some(2), ..Settings::default() });
    server.now = 60_000 * 1000 + 15_500;
    assert_eq!(server.ask(Get, &json!({})).status, 400);
    assert_eq!(server.ask_as("nobody", Get, br#"{"identity":"a"}"#).status, 401);
    let first = server.get("a");
    let headers = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"];
    assert_eq!(headers.map(|name| first.header(name)), [Some("2"), Some("1"), Some("44"), None]);
    server.key("none", Permissions::NONE);
    assert_eq!(server.ask_as("none", Create, br#"{"externalId":"a"}"#).status, 403);
    let third = server.get("a");
    assert_eq!((third.status, third.error()), (429, "workspace_rate_limited"));
    assert_eq!(headers.map(|name| third.header(name)), [Some("2"), Some("0"), Some("44"), Some("44")]);
    server.state.settings_mut("ws").unwrap().limit_per_minute = Some(0);
    assert_eq!((server.get("a").status, server.get("a").headers), (429, vec![]));
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    let run = || {
        let mut server = server();
        let id = server.create("a", &["one", "two", "three"]);
        (id, server.update_limits("a", &["four", "five", "six"]).text)
    };
    assert_eq!(run(), run());
}
