//! What the real API server makes of a manifest: each bound of each field on both sides, and what a user reads.
//!
//! No operator runs here. Bodies are sent as text, since what becomes of `1.0`, of `null` or of a key given twice is
//! part of what is tested.

mod accepted;
mod columns;
mod explained;
mod meta;
mod refused;
mod status;
mod updates;

use super::harness::World;

/// What kubectl asks for by default: unknown and duplicate fields are errors.
const STRICT: &str = "fieldValidation=Strict";
/// The same, and nothing is stored.
const DRY: &str = "fieldValidation=Strict&dryRun=All";

/// A manifest named `name`; `spec` is JSON text.
fn manifest(name: &str, spec: &str) -> String {
    format!(r#"{{"apiVersion":"unkey.com/v1alpha1","kind":"Identity","metadata":{{"name":"{name}"}},"spec":{spec}}}"#)
}

/// Sends `body` as it is; `Err` holds the message that a user would read.
async fn send(
    world: &World,
    method: &str,
    name: &str,
    query: &str,
    kind: &str,
    body: String,
) -> Result<String, String> {
    let slash = if name.is_empty() { "" } else { "/" };
    let uri = format!("/apis/unkey.com/v1alpha1/namespaces/{}/identities{slash}{name}?{query}", world.namespace);
    let request = http::Request::builder().method(method).uri(uri).header("Content-Type", kind);
    match world.client.request_text(request.body(body.into_bytes()).unwrap()).await {
        Ok(reply) => Ok(reply),
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => Err(status.message),
        Err(error) => panic!("neither accepted nor refused: {error}"),
    }
}

/// Creates a manifest, given as text.
async fn post(world: &World, query: &str, body: String) -> Result<String, String> {
    send(world, "POST", "", query, "application/json", body).await
}

/// Merge-patches an object, as `kubectl patch --type=merge`.
async fn patch(world: &World, name: &str, query: &str, body: &str) -> Result<String, String> {
    send(world, "PATCH", name, query, "application/merge-patch+json", body.to_owned()).await
}

/// Server-side applies a manifest.
async fn apply(world: &World, name: &str, body: String) -> Result<String, String> {
    let query = format!("{STRICT}&fieldManager=tests");
    send(world, "PATCH", name, &query, "application/apply-patch+yaml", body).await
}

/// The text of `spec` in a reply of the API server, as it was sent over the wire.
fn spec_text(reply: &str) -> &str {
    let from = reply.find(r#""spec":"#).expect("a spec") + r#""spec":"#.len();
    let to = reply.rfind(r#","status":"#).expect("a status, by the schema's default");
    &reply[from..to]
}

/// Fails with all rows that are not as they should be, so that one run shows all.
fn all_hold(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} rows do not hold:\n{}", wrong.len(), wrong.join("\n"));
}
