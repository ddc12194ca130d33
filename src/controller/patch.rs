//! The JSON patches. Each begins with a test of `metadata.uid`, so that nothing is ever written to the heir of a name
//! (R11; merge patch and server-side apply on a status do not enforce a uid).

use serde_json::{Value, json};

use super::snapshot::Snapshot;
use crate::api::{CLAIM_ANNOTATION, FINALIZER};
use crate::domain::{Claim, Guard};

/// `/` and `~` are escaped in a JSON pointer.
fn claim_path() -> String {
    format!("/metadata/annotations/{}", CLAIM_ANNOTATION.replace('~', "~0").replace('/', "~1"))
}

fn tests(guard: &Guard) -> Vec<Value> {
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": guard.uid.as_str()}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": guard.resource_version}),
    ]
}

/// Finalizer and claim, in one patch (R1).
pub fn claim(object: &Snapshot, guard: &Guard, claim: &Claim) -> Value {
    let mut patch = tests(guard);
    if object.finalizer_index().is_none() {
        patch.push(match object.metadata.finalizers {
            Some(_) => json!({"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}),
            None => json!({"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}),
        });
    }
    if object.metadata.annotations.is_none() {
        patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    patch.push(json!({"op": "add", "path": claim_path(), "value": claim.render(&guard.uid)}));
    Value::Array(patch)
}

/// Finalizer and claim off, in one patch.
pub fn release(object: &Snapshot, guard: &Guard) -> Value {
    let mut patch = tests(guard);
    if let Some(index) = object.finalizer_index() {
        patch.push(json!({"op": "remove", "path": format!("/metadata/finalizers/{index}")}));
    }
    if object.annotation(CLAIM_ANNOTATION).is_some() {
        patch.push(json!({"op": "remove", "path": claim_path()}));
    }
    Value::Array(patch)
}

/// The status, whole. It tests what it was computed from instead of the resourceVersion, so that an edit of labels does not fail it,
/// and the status of a paused old leader does (S41). A test against `null` passes if the field is absent.
pub fn status(guard: &Guard, before: Option<&Value>, after: &Value) -> Value {
    let was = |field: &str| before.and_then(|status| status.get(field)).cloned().unwrap_or(Value::Null);
    json!([
        {"op": "test", "path": "/metadata/uid", "value": guard.uid.as_str()},
        {"op": "test", "path": "/status/observedGeneration", "value": was("observedGeneration")},
        {"op": "test", "path": "/status/identityId", "value": was("identityId")},
        {"op": "add", "path": "/status", "value": after},
    ])
}
