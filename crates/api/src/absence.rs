//! When an answer of the API server proves that an object does not exist. No IO.
//!
//! HTTP 404 alone proves nothing. The API server answers `404 page not found` while it does not serve a version of a resource
//! (kubernetes#115241), and so do proxies, load balancers and aggregated API servers; an admission webhook chooses its own code.

use kube::core::Status;

/// True if `status` says that the object `name` of the resource `plural` in `group` does not exist: code 404, reason `NotFound`, and details that
/// name this very object. That is the shape of `apierrors.NewNotFound` in k8s.io/apimachinery. False: nothing is known.
pub fn proves_absence(status: &Status, group: &str, plural: &str, name: &str) -> bool {
    let names_it = status
        .details
        .as_ref()
        .is_some_and(|details| details.group == group && details.kind == plural && details.name == name);
    status.code == 404 && status.reason == "NotFound" && names_it
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn proves(change: &serde_json::Value) -> bool {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 404, "reason": "NotFound",
            "message": "identities.unkey.com \"acme\" not found",
            "details": {"name": "acme", "group": "unkey.com", "kind": "identities"},
        });
        for (field, value) in change.as_object().unwrap() {
            status[field] = value.clone();
        }
        proves_absence(&serde_json::from_value(status).unwrap(), "unkey.com", "identities", "acme")
    }

    #[test]
    fn only_a_not_found_that_names_the_object_proves_its_absence() {
        assert!(proves(&json!({})));
        for lacks in [
            json!({"reason": ""}),
            json!({"reason": "Forbidden"}),
            json!({"reason": "Failed to parse error data"}),
            json!({"code": 403}),
            json!({"code": 410}),
            json!({"details": null}),
            json!({"details": {}}),
            json!({"details": {"name": "other", "group": "unkey.com", "kind": "identities"}}),
            json!({"details": {"name": "", "group": "unkey.com", "kind": "identities"}}),
            json!({"details": {"name": "acme", "group": "", "kind": "identities"}}),
            json!({"details": {"name": "acme", "group": "unkey.com", "kind": "namespaces"}}),
        ] {
            assert!(!proves(&lacks), "{lacks}");
        }
    }
}
