//! The control endpoints, as curl would use them, and what they leave to be seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // A test says what is wrong by failing.

mod client;

use client::{Answer, Client};
use serde_json::{Value, json};
use unkey_emulator::{Emulator, Options};

struct Curl {
    client: Client,
    emulator: Emulator,
}

impl Curl {
    async fn new() -> Self {
        Self { client: Client::new(), emulator: Emulator::start(Options::default()).await.unwrap() }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let url = format!("{}/_emulator/{path}", self.emulator.base_url());
        let json = ("content-type".to_owned(), "application/json".to_owned());
        self.client.send(method, &url, [json], body.to_string()).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> u16 {
        self.send("POST", path, &body).await.status
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, &Value::Null).await;
        assert_eq!(answer.status, 200, "{path}");
        answer.json()
    }

    async fn delete(&self, path: &str) -> u16 {
        self.send("DELETE", path, &Value::Null).await.status
    }

    async fn api(&self, key: &str, operation: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/v2/identities.{operation}", self.emulator.base_url());
        let answer = self.client.post(&url, key, &body).await.unwrap();
        (answer.status, answer.json())
    }
}

#[tokio::test]
async fn keys_come_and_go() {
    let curl = Curl::new().await;
    let key = json!({"key": "k", "workspace": "w", "permissions": {"read": true}});
    assert_eq!(curl.post("keys", key).await, 204);
    assert_eq!(curl.get("").await["workspaces"], json!(["w"]));
    assert_eq!(curl.api("k", "createIdentity", json!({"externalId": "a"})).await.0, 403);
    assert_eq!(curl.post("keys", json!({"key": "k", "workspace": "w"})).await, 204);
    assert_eq!(curl.api("k", "createIdentity", json!({"externalId": "a"})).await.0, 200);
    let asked = async || curl.api("k", "getIdentity", json!({"identity": "a"})).await;
    for (status, kind) in [("disabled", "key_disabled"), ("expired", "forbidden")] {
        assert_eq!(curl.post("keys/k", json!({"status": status})).await, 204);
        let (status, body) = asked().await;
        assert!(status == 403 && body["error"]["type"].as_str().unwrap().ends_with(kind), "{body}");
    }
    assert_eq!(curl.post("keys/k", json!({"status": "active"})).await, 204);
    assert_eq!(asked().await.0, 200);
    assert_eq!(curl.delete("workspaces/w").await, 204);
    assert_eq!(asked().await.0, 404);
    assert_eq!(curl.delete("keys/k").await, 204);
    assert_eq!(asked().await.0, 401);
    assert_eq!(curl.emulator.strangers().len(), 1);
    assert_eq!((curl.delete("keys/k").await, curl.delete("workspaces/w").await), (404, 404));
    assert_eq!(curl.post("keys", json!({"key": "k"})).await, 422);
}

#[tokio::test]
async fn missing_permissions_are_masked_on_demand() {
    let curl = Curl::new().await;
    assert_eq!(curl.post("keys", json!({"key": "k", "workspace": "w", "permissions": {"create": true}})).await, 204);
    assert_eq!(curl.api("k", "createIdentity", json!({"externalId": "a"})).await.0, 200);
    for (masks, status) in [(false, 403), (true, 404), (false, 403)] {
        assert_eq!(curl.post("workspaces/w", json!({"maskPermissions": masks})).await, 204);
        assert_eq!(curl.get("workspaces/w").await["settings"]["maskPermissions"], json!(masks));
        for operation in ["getIdentity", "updateIdentity", "deleteIdentity"] {
            assert_eq!(curl.api("k", operation, json!({"identity": "a"})).await.0, status, "{operation}");
        }
        let (listed, page) = curl.api("k", "listIdentities", json!({})).await;
        assert_eq!((listed, page["data"] == json!([])), if masks { (200, true) } else { (403, false) }, "{page}");
    }
}

#[tokio::test]
async fn a_workspace_is_set_seen_and_reset() {
    let curl = Curl::new().await;
    curl.post("keys", json!({"key": "k", "workspace": "w"})).await;
    assert_eq!(curl.post("workspaces/w", json!({"replicaLagMs": 60_000, "limitPerMinute": 5})).await, 204);
    assert_eq!(curl.api("k", "createIdentity", json!({"externalId": "a", "meta": {"x": 1.0}})).await.0, 200);
    assert_eq!(curl.api("k", "getIdentity", json!({"identity": "a"})).await.0, 404, "the replica lags");
    let seen = curl.get("workspaces/w").await;
    assert_eq!((&seen["settings"]["replicaLagMs"], &seen["settings"]["limitPerMinute"]), (&json!(60_000), &json!(5)));
    assert_eq!((&seen["live"][0]["externalId"], &seen["live"][0]["meta"]), (&json!("a"), &json!({"x": 1})));
    let counts = curl.get("workspaces/w/counts").await;
    assert_eq!(counts["total"], 2);
    assert_eq!(counts["byOperation"], json!({"create": 1, "get": 1}));
    assert_eq!(counts["byIdentity"], json!({"a": {"create": 1, "get": 1}}));
    assert_eq!(counts["byStatus"], json!({"200": 1, "404": 1}));
    let log = curl.get("workspaces/w/requests").await;
    let entry = json!({"number": 2, "atMs": log[1]["atMs"], "operation": "get", "identity": "a", "externalId": "a",
        "handled": 404, "answered": 404, "fault": null, "done": true});
    assert_eq!(log[1], entry);
    assert_eq!(curl.delete("workspaces/w/requests").await, 204);
    assert_eq!(curl.get("workspaces/w/requests").await, json!([]));
    assert_eq!(curl.post("workspaces/w/reset", json!({})).await, 204);
    assert_eq!(curl.get("workspaces/w").await["live"], json!([]));
    assert_eq!(curl.get("workspaces/w").await["settings"]["limitPerMinute"], 5);
    assert_eq!(curl.post("workspaces/w", json!({"lag": 1})).await, 422);
    assert_eq!(curl.post("workspaces/none/reset", json!({})).await, 404);
}

#[tokio::test]
async fn another_client_creates_changes_and_deletes() {
    let curl = Curl::new().await;
    curl.post("keys", json!({"key": "k", "workspace": "w"})).await;
    let limit = json!({"name": "abc", "limit": 1, "duration": 1000, "autoApply": true});
    let new = json!({"externalId": "a", "meta": {"x": 1}, "ratelimits": [limit]});
    let id = curl.send("POST", "workspaces/w/identities", &new).await.json()["id"].clone();
    assert_eq!(curl.post("workspaces/w/identities", new).await, 409);
    assert_eq!(curl.post("workspaces/w/identities/a", json!({"meta": {"drifted": true}})).await, 204);
    let (_, body) = curl.api("k", "getIdentity", json!({"identity": "a"})).await;
    assert_eq!((&body["data"]["id"], &body["data"]["meta"]), (&id, &json!({"drifted": true})));
    assert_eq!(body["data"]["ratelimits"][0]["name"], "abc");
    assert_eq!(curl.delete(&format!("workspaces/w/identities/{}", id.as_str().unwrap())).await, 204);
    assert_eq!(curl.delete("workspaces/w/identities/a").await, 404);
    assert_eq!(curl.api("k", "getIdentity", json!({"identity": "a"})).await.0, 404);
    assert_eq!(curl.get("workspaces/w").await["dead"][0]["id"], id);
}

#[tokio::test]
async fn faults_are_ordered_seen_and_cleared() {
    let curl = Curl::new().await;
    curl.post("keys", json!({"key": "k", "workspace": "w"})).await;
    let order = json!({"kind": "status", "status": 503, "body": "busy", "contentType": "text/plain",
        "headers": {"x-cause": "test"}, "operation": "getIdentity", "identity": "a", "times": 1});
    let id = curl.send("POST", "workspaces/w/faults", &order).await.json()["id"].clone();
    assert_eq!(curl.api("k", "getIdentity", json!({"identity": "a"})).await.0, 503);
    let faults = curl.get("workspaces/w/faults").await;
    assert_eq!((&faults[0]["hits"], &faults[0]["fault"]["times"]), (&json!(1), &json!(0)));
    assert_eq!(curl.delete(&format!("workspaces/w/faults/{id}")).await, 204);
    for fault in ["dropBefore", "hold", "garbage"] {
        assert_eq!(curl.post("workspaces/w/faults", json!({"kind": fault, "identity": "b"})).await, 200);
    }
    assert_eq!(curl.get("workspaces/w/faults").await.as_array().unwrap().len(), 3);
    assert_eq!(curl.post("workspaces/w/faults/3/release", json!({})).await, 204);
    assert_eq!(curl.post("workspaces/w/faults/99/release", json!({})).await, 404);
    assert_eq!(curl.delete("workspaces/w/faults").await, 204);
    assert_eq!(curl.get("workspaces/w/faults").await, json!([]));
    assert_eq!(curl.post("workspaces/w/faults", json!({"kind": "explode"})).await, 422);
}
