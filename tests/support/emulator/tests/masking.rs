//! Missing permissions that look like missing identities: all of them, each alone, and back again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // A test says what is wrong by failing.

mod server;

use serde_json::{Value, json};
use server::Server;
use unkey_emulator::Operation::{Create, Delete, Get, List, Update};
use unkey_emulator::{Permissions, Settings};

fn masking() -> Server {
    Server::new(Settings { mask_permissions: true, ..Settings::default() })
}

#[test]
fn a_missing_permission_can_look_like_a_missing_identity() {
    let mut server = masking();
    server.key("none", Permissions::NONE);
    server.create("a", &[]);
    let ask =
        |server: &mut Server, operation, body: Value| server.ask_as("none", operation, body.to_string().as_bytes());
    for operation in [Get, Update, Delete] {
        let answer = ask(&mut server, operation, json!({"identity": "a"}));
        assert_eq!((answer.status, answer.error()), (404, "identity_not_found"), "{operation:?}");
    }
    let page = ask(&mut server, List, json!({}));
    assert_eq!(
        (page.status, &page.body["data"], &page.body["pagination"]["hasMore"]),
        (200, &json!([]), &json!(false))
    );
    assert_eq!(ask(&mut server, Create, json!({"externalId": "b"})).error(), "insufficient_permissions");
    assert_eq!(server.get("a").status, 200);
    assert_eq!(server.ask(List, &json!({})).body["data"].as_array().unwrap().len(), 1);
}

/// Each permission is masked by itself: what the others allow goes on, and what is masked changes nothing.
#[test]
fn each_permission_is_masked_alone() {
    let all = Permissions::ALL;
    let lost = [
        (Get, Permissions { read: false, ..all }),
        (Update, Permissions { update: false, ..all }),
        (Delete, Permissions { delete: false, ..all }),
        (Create, Permissions { create: false, ..all }),
    ];
    for (masked, permissions) in lost {
        let mut server = masking();
        server.key("some", permissions);
        let id = server.create("a", &[]);
        let mut ask = |operation, body: Value| {
            let answer = server.ask_as("some", operation, body.to_string().as_bytes());
            let shown = answer.body["data"].as_array().map(Vec::len);
            (answer.status, answer.error().to_owned(), shown)
        };
        let not_found = (404, "identity_not_found".to_owned(), None);
        let ok = (200, String::new(), None);
        let expected = |operation| if operation == masked { not_found.clone() } else { ok.clone() };
        // Under either name; the list goes by the permission to read and says no more than that there is nothing.
        for identity in ["a", &id] {
            assert_eq!(ask(Get, json!({"identity": identity})), expected(Get), "without {masked:?}");
            let body = json!({"identity": identity, "meta": {"n": 2}});
            assert_eq!(ask(Update, body), expected(Update), "without {masked:?}");
        }
        assert_eq!(ask(List, json!({})), (200, String::new(), Some(usize::from(masked != Get))), "without {masked:?}");
        let created = ask(Create, json!({"externalId": "b"}));
        if masked == Create {
            assert_eq!(created, (403, "insufficient_permissions".to_owned(), None), "a create is refused openly");
        } else {
            assert_eq!(created, ok, "without {masked:?}");
        }
        assert_eq!(ask(Delete, json!({"identity": id})), expected(Delete), "without {masked:?}");
        let held = server.state.live("ws", "a");
        assert_eq!(held.is_some(), masked == Delete, "without {masked:?}");
        if let Some(held) = held {
            assert_eq!(held.meta, json!({"n": 2}), "the update was carried out");
        }
        if masked == Update {
            let dead = server.state.snapshot("ws").dead;
            assert_eq!(dead[0].meta, json!({}), "the update was not carried out");
        }
    }
}

/// A masked permission says the same of what is there and of what is not, and comes back with everything as it was.
#[test]
fn what_is_masked_is_told_from_nothing_by_nothing_and_comes_back() {
    let mut server = masking();
    server.key("some", Permissions { create: true, ..Permissions::NONE });
    server.create("a", &[]);
    for operation in [Get, Update, Delete] {
        let answers = ["a", "nobody"].map(|identity| {
            let mut answer = server.ask_as("some", operation, json!({"identity": identity}).to_string().as_bytes());
            answer.body["meta"] = Value::Null;
            (answer.status, answer.body)
        });
        assert_eq!(answers[0], answers[1], "{operation:?}");
    }
    assert_eq!(server.ask_as("some", Create, br#"{"externalId":"a"}"#).error(), "identity_already_exists");
    server.state.settings_mut("ws").unwrap().mask_permissions = false;
    for operation in [Get, Update, Delete] {
        let answer = server.ask_as("some", operation, br#"{"identity":"a"}"#);
        assert_eq!((answer.status, answer.error()), (403, "insufficient_permissions"), "{operation:?}");
    }
    server.key("some", Permissions::ALL);
    for operation in [Get, Update, Delete] {
        assert_eq!(server.ask_as("some", operation, br#"{"identity":"a"}"#).status, 200, "{operation:?}");
    }
}
