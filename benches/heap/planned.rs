//! The most heap that a plan has at once: of N Identities that would be adopted, which is the most that a plan has to think about.

use std::sync::Arc;

use serde_json::Value;
use unkey_operator::controller::{Approvals, RawIdentity};
use unkey_operator::domain::plan::{Identity, Packed, World, plan};
use unkey_operator::domain::{Content, DeletionLimits, ExternalId, IdentityId, Limit, Limits, Meta, Policy};
use unkey_operator::plan::ListedObject;

use crate::inside::{limits, object};

/// What is listed, and what there is of it in Unkey.
fn listed(number: usize, approvals: &Arc<Approvals>) -> (ListedObject, Identity) {
    let name = object::name(number);
    let mut json = object::manifest(&name);
    json["metadata"] = serde_json::json!({
        "name": name, "namespace": "tenants", "uid": format!("6f1e2d3c-0000-4000-8000-{number:012}"), "generation": 1,
        "resourceVersion": (number + 1000).to_string(), "creationTimestamp": "2026-11-21T20:14:04Z",
    });
    json["spec"]["adoptionPolicy"] = "Always".into();
    let mut raw: RawIdentity = serde_json::from_str(&json.to_string()).unwrap();
    raw.prune();
    let identity = Identity {
        external_id: ExternalId::new(&name),
        id: IdentityId::new(&format!("id_{number:016}")),
        content: Packed::new(&content(&name)),
    };
    (ListedObject::new(Box::new(raw), Arc::clone(approvals)), identity)
}

/// As the spec, with another limit.
fn content(name: &str) -> Content {
    let all = limits();
    let others = all.as_map().iter().map(|(name, it)| (name.clone(), Limit { limit: it.limit + 1, ..*it }));
    let Value::Object(meta) = object::meta(name, 0) else { panic!("an object") };
    Content { meta: Meta::new(meta), limits: Limits::new(others.collect()) }
}

/// Prints the rows.
pub fn rows(count: usize) {
    let approvals = Arc::new(Approvals::default());
    let before = dhat::HeapStats::get();
    let (objects, identities): (Vec<_>, Vec<_>) = (0..count).map(|number| listed(number, &approvals)).unzip();
    let held = dhat::HeapStats::get().curr_bytes - before.curr_bytes;
    let world = World {
        objects,
        identities,
        policy: Policy::default(),
        deletions: DeletionLimits::NONE,
        accepts_workspace_change: false,
        an_hour_ahead: String::new(),
    };
    let made = plan(world);
    let after = dhat::HeapStats::get();
    assert_eq!(made.changes.len(), count);
    // What came before is less.
    assert!(after.max_bytes > before.max_bytes, "the peak is the plan's");
    let peak = after.max_bytes - before.curr_bytes;
    println!(
        "heap: a plan of {count} adoptions has {} bytes for each at most, {} of them as listed",
        peak / count,
        held / count
    );
}
