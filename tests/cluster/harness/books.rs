//! What the emulator's books say of a world, and what must hold in every one of them at its end.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use unkey_emulator::{Entry, FaultKind, Operation};

use super::{World, condition};

/// An error in Unkey's own envelope; `kind` is the end of `error.type`.
pub fn refusal(status: u16, kind: &str, detail: &str) -> FaultKind {
    let body = json!({
        "meta": {"requestId": "req_fault"},
        "error": {"status": status, "title": "Refused", "detail": detail, "type": format!("https://unkey.com/docs/errors/{kind}")},
    });
    FaultKind::status(status, "application/json", &body.to_string())
}

impl World {
    /// The requests on an identity, oldest first.
    pub fn requests_on(&self, operation: Operation, external_id: &str) -> Vec<Entry> {
        let meant = |entry: &Entry| entry.operation == operation && entry.external_id.as_deref() == Some(external_id);
        self.workspace.requests().into_iter().filter(meant).collect()
    }

    /// How many of them the API carried out.
    pub fn accepted(&self, operation: Operation, external_id: &str) -> usize {
        self.requests_on(operation, external_id).iter().filter(|entry| entry.handled == Some(200)).count()
    }

    /// Waits until the API has carried out that many of them.
    pub async fn until_accepted(&self, operation: Operation, external_id: &str, count: usize) {
        let what = format!("{count} {operation:?} of {external_id} to be carried out");
        super::eventually(&what, async || (self.accepted(operation, external_id) >= count).then_some(())).await;
    }

    /// Waits until a fault has struck that often.
    pub async fn until_hit(&self, fault: u64, hits: u64) {
        super::eventually("the fault to strike", async || {
            self.workspace.faults().iter().any(|order| order.id == fault && order.hits >= hits).then_some(())
        })
        .await;
    }

    /// Every Identity is Ready for its generation, Unkey holds exactly what its spec asks for under the id that its status records, and
    /// no identity besides: nothing lost, doubled or leaked.
    pub async fn assert_in_step(&self) {
        self.assert_all_in_step(self.list().await);
    }

    /// The same, if these are all the Identities of the workspace, whatever their namespace.
    pub fn assert_all_in_step(&self, objects: Vec<Value>) {
        let mut upstream: BTreeMap<String, _> =
            self.workspace.snapshot().live.into_iter().map(|live| (live.external_id.clone(), live)).collect();
        for object in objects {
            let (spec, status) = (&object["spec"], &object["status"]);
            let external_id = spec["externalId"].as_str().unwrap();
            let ready = condition(&object, "Ready");
            assert_eq!(ready["status"], "True", "{external_id}: {ready}");
            assert_eq!(status["observedGeneration"], object["metadata"]["generation"], "{external_id}");
            assert_eq!(status["uid"], object["metadata"]["uid"], "{external_id}");
            let live = upstream.remove(external_id).unwrap_or_else(|| panic!("{external_id} is not in Unkey"));
            assert_eq!(status["identityId"], live.id.as_str(), "{external_id}");
            if let Some(meta) = spec.get("meta") {
                assert_eq!(*meta, live.meta, "meta of {external_id}");
            }
            if let Some(limits) = spec.get("ratelimits").and_then(Value::as_array) {
                let wanted: Vec<_> =
                    limits.iter().map(|limit| (limit["name"].clone(), limit["limit"].clone())).collect();
                let held: Vec<_> =
                    live.ratelimits.iter().map(|limit| (json!(limit.name), json!(limit.limit))).collect();
                assert_eq!(wanted, held, "limits of {external_id}");
            }
        }
        assert!(upstream.is_empty(), "left over in Unkey: {:?}", upstream.keys());
    }
}
