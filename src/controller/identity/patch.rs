//! The JSON patches for an `Identity`.

mod status;

use serde_json::{Value, json};

pub use self::status::status;
use super::raw::{Finalizers, RawIdentity};
use crate::api::{CLAIM_ANNOTATION, FINALIZER};
use crate::controller::runtime::patch::guarded;
use crate::domain::{Claim, Guard};

/// `/` and `~` are escaped in a JSON pointer.
fn claim_path() -> String {
    format!("/metadata/annotations/{}", CLAIM_ANNOTATION.replace('~', "~0").replace('/', "~1"))
}

/// Finalizer and claim, in one patch (R1).
pub fn claim(object: &RawIdentity, guard: &Guard, claim: &Claim) -> Value {
    let mut patch = guarded(guard);
    match object.finalizers() {
        Finalizers::Ours(_) => {}
        Finalizers::Others => patch.push(json!({"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER})),
        Finalizers::None => patch.push(json!({"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]})),
    }
    if !object.is_annotated() {
        patch.push(json!({"op": "add", "path": "/metadata/annotations", "value": {}}));
    }
    patch.push(json!({"op": "add", "path": claim_path(), "value": claim.render(&guard.uid)}));
    Value::Array(patch)
}

/// Finalizer and claim off, in one patch.
pub fn release(object: &RawIdentity, guard: &Guard) -> Value {
    let mut patch = guarded(guard);
    if let Some(index) = object.finalizers().ours() {
        patch.push(json!({"op": "remove", "path": format!("/metadata/finalizers/{index}")}));
    }
    if object.claim().is_some() {
        patch.push(json!({"op": "remove", "path": claim_path()}));
    }
    Value::Array(patch)
}

#[cfg(test)]
mod tests {
    use super::super::raw::tests::snapshot;
    use super::*;
    use crate::controller::runtime::patch::if_not_deleted;
    use crate::domain::{ContentHash, Uid};

    fn guard() -> Guard {
        Guard { uid: Uid::new("u"), resource_version: "7".to_owned() }
    }

    fn some_claim() -> Claim {
        Claim { hash: ContentHash::parse("v1:ab"), given_up: None }
    }

    /// R11: whatever is written, the uid is tested first.
    #[test]
    fn every_patch_begins_with_a_test_of_the_uid() {
        let object = snapshot(&json!({"metadata": {"finalizers": [FINALIZER]}}));
        let status = status(&guard(), None, &json!({}));
        let patches = [
            claim(&object, &guard(), &some_claim()),
            release(&object, &guard()),
            if_not_deleted(status.clone()),
            status,
        ];
        for patch in patches {
            assert_eq!(patch[0], json!({"op": "test", "path": "/metadata/uid", "value": "u"}));
        }
    }

    #[test]
    fn a_claim_keeps_the_finalizers_and_annotations_of_others() {
        let object = snapshot(&json!({"metadata": {"finalizers": ["other"], "annotations": {"a": "b"}}}));
        let patch = claim(&object, &guard(), &some_claim());
        let adds: Vec<_> = patch.as_array().unwrap()[2..].to_vec();
        assert_eq!(
            adds,
            [
                json!({"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}),
                json!({"op": "add", "path": "/metadata/annotations/unkey.com~1claim", "value": "u:v1:ab:"}),
            ]
        );
    }

    #[test]
    fn a_release_removes_ours_where_it_stands() {
        let object = snapshot(&json!({"metadata": {
            "finalizers": ["other", FINALIZER, "third"], "annotations": {CLAIM_ANNOTATION: "u:v1:ab:"},
        }}));
        let patch = release(&object, &guard());
        assert_eq!(patch[2], json!({"op": "remove", "path": "/metadata/finalizers/1"}));
        assert_eq!(patch[3], json!({"op": "remove", "path": "/metadata/annotations/unkey.com~1claim"}));
    }

    #[test]
    fn a_status_tests_what_it_was_computed_from() {
        let before = json!({"observedGeneration": 3, "identityId": "id_a"});
        let patch = status(&guard(), Some(&before), &json!({"observedGeneration": 4}));
        assert_eq!(patch[1]["value"], 3);
        assert_eq!(patch[2]["value"], "id_a");
        assert_eq!(status(&guard(), None, &json!({}))[2]["value"], Value::Null);
    }
}
