//! What each JSON patch tests first: `metadata.uid`, so that nothing is ever written to the successor of a name (R11; merge patch and server-side apply
//! on a status do not enforce a uid).

use serde_json::{Value, json};

use crate::domain::Guard;

/// A patch that begins with the tests of `guard`: uid and version.
pub fn guarded(guard: &Guard) -> Vec<Value> {
    vec![
        json!({"op": "test", "path": "/metadata/uid", "value": guard.uid.as_str()}),
        json!({"op": "test", "path": "/metadata/resourceVersion", "value": guard.resource_version}),
    ]
}

/// This patch, if the object is not being deleted. A test against `null` passes if the field is absent.
pub fn if_not_deleted(mut patch: Value) -> Value {
    if let Value::Array(operations) = &mut patch {
        // After the test of the uid.
        operations.insert(1, json!({"op": "test", "path": "/metadata/deletionTimestamp", "value": null}));
    }
    patch
}
