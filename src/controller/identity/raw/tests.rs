//! What is read of an object, what is kept, and what harms nobody else.

use kube::core::{ObjectList, WatchEvent};
use serde_json::{Value, json};

use super::super::approvals::Approvals;
use super::*;
use crate::api::FINALIZER;
use crate::api::{CLAIM_ANNOTATION, RECONCILE_ANNOTATION};
use crate::domain::{Claimant, Mono, Policy};

/// An object as the API server would show it.
pub(in crate::controller) fn snapshot(value: &Value) -> RawIdentity {
    serde_json::from_value(value.clone()).unwrap()
}

fn deep(levels: usize) -> String {
    let meta = format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    format!(
        r#"{{"apiVersion":"unkey.com/v1alpha1","kind":"Identity","metadata":{{"name":"deep","namespace":"n","uid":"u"}},"spec":{{"externalId":"e","meta":{meta}}}}}"#
    )
}

/// S24: an object nested deeper than a parser goes must not fail the list or the watch that it comes with.
#[test]
fn s24_a_deep_object_fails_nobody_else() {
    for levels in [150, 5_000] {
        let list = format!(r#"{{"apiVersion":"v1","kind":"List","metadata":{{}},"items":[{}]}}"#, deep(levels));
        let list: ObjectList<RawIdentity> = serde_json::from_str(&list).unwrap();
        assert_eq!(list.items[0].external_id().as_str(), "e");
        let event = format!(r#"{{"type":"ADDED","object":{}}}"#, deep(levels));
        let event: WatchEvent<RawIdentity> = serde_json::from_str(&event).unwrap();
        let WatchEvent::Added(object) = event else { panic!("{event:?}") };
        let read = object.read(Mono::ZERO, &Approvals::default(), &mut ReconcileRequests::default());
        assert_eq!(read.spec, Err(crate::domain::SpecError::MetaTooDeep { levels }));
    }
}

/// Found by the names that users write.
#[test]
fn the_annotations_are_ours() {
    let object = snapshot(&json!({"metadata": {"annotations": {CLAIM_ANNOTATION: "c", RECONCILE_ANNOTATION: "p"}}}));
    assert_eq!((object.claim(), object.reconcile_request.as_deref()), (Some("c"), Some("p")));
}

#[test]
fn that_there_are_annotations_and_finalizers_of_others_is_known() {
    let read = |metadata: Value| snapshot(&json!({"metadata": metadata}));
    assert!(!read(json!({"annotations": null})).is_annotated());
    assert!(read(json!({"annotations": {"mine": "kept"}})).is_annotated());
    for (finalizers, expected) in [
        (json!(null), Finalizers::None),
        (json!(["other"]), Finalizers::Others),
        (json!(["other", FINALIZER]), Finalizers::Ours(1)),
    ] {
        assert_eq!(read(json!({"finalizers": finalizers})).finalizers(), expected);
    }
}

#[test]
fn whatever_a_reconcile_looks_at_makes_a_difference_and_nothing_else_does() {
    let base = json!({
        "metadata": {"name": "a", "uid": "u", "resourceVersion": "7", "generation": 1, "finalizers": [FINALIZER],
                     "labels": {"a": "1"}, "annotations": {CLAIM_ANNOTATION: "c", "theirs": "1"}},
        "spec": {"externalId": "e"}, "status": {"observedGeneration": 1},
    });
    let same = |change: &dyn Fn(&mut Value)| {
        let mut object = base.clone();
        change(&mut object);
        snapshot(&object).reads_as(&snapshot(&base))
    };
    assert!(same(&|it| it["metadata"]["labels"]["a"] = json!("2")));
    assert!(same(&|it| it["metadata"]["resourceVersion"] = json!("8")));
    assert!(same(&|it| it["metadata"]["annotations"]["theirs"] = json!("2")));
    let changes: [&dyn Fn(&mut Value); 9] = [
        &|it| it["metadata"]["uid"] = json!("v"),
        &|it| it["metadata"]["generation"] = json!(2),
        &|it| it["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"),
        &|it| it["metadata"]["finalizers"] = json!(["other", FINALIZER]),
        &|it| it["metadata"]["annotations"] = json!(null),
        &|it| it["metadata"]["annotations"][CLAIM_ANNOTATION] = json!("d"),
        &|it| it["metadata"]["annotations"][RECONCILE_ANNOTATION] = json!("1"),
        &|it| it["spec"]["meta"] = json!({}),
        &|it| it["status"]["observedGeneration"] = json!(2),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert!(!same(change), "change {number}");
    }
}

#[test]
fn what_did_not_change_is_kept_once_and_what_did_is_taken_in() {
    let base = json!({"metadata": {"uid": "u"}, "spec": {"externalId": "e", "meta": {"a": 1}}, "status": {"uid": "u"}});
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut object = base.clone();
        change(&mut object);
        let (before, plain) = (snapshot(&base), snapshot(&object));
        let mut after = plain.clone();
        after.share(&before);
        assert!(after.reads_as(&plain) && after.external_id() == plain.external_id());
        let shared =
            |a: Option<&Arc<RawValue>>, b: Option<&Arc<RawValue>>| a.zip(b).is_some_and(|(a, b)| Arc::ptr_eq(a, b));
        [
            std::ptr::eq(after.uid().as_str(), before.uid().as_str()),
            std::ptr::eq(after.external_id().as_str(), before.external_id().as_str()),
            shared(after.spec.as_ref(), before.spec.as_ref()),
        ]
    };
    assert_eq!(changed(&|it| it["status"]["identityId"] = json!("id_1")), [true, true, true]);
    assert_eq!(changed(&|it| it["spec"]["meta"]["a"] = json!(2)), [true, true, false]);
    assert_eq!(changed(&|it| it["metadata"]["uid"] = json!("v")), [false, true, true]);
    assert_eq!(changed(&|it| it["spec"]["externalId"] = json!("f")), [true, false, false]);
}

#[test]
fn what_was_read_before_is_what_stands_there_now() {
    let mut last = LastRead::default();
    let mut object = json!({"metadata": {"uid": "u"}, "spec": {"externalId": "e", "meta": {"a": 1}}});
    let read = |value: &Value, last: &mut LastRead| {
        let mut reconcile_requests = ReconcileRequests::default();
        let object = snapshot(value).read_again(last, Mono::ZERO, &Approvals::default(), &mut reconcile_requests);
        format!("{object:?}")
    };
    let fresh = |value: &Value| read(value, &mut LastRead::default());
    for (field, value) in [("meta", json!({"a": 1})), ("meta", json!({"a": 2})), ("suspend", json!(true))] {
        object["spec"][field] = value;
        assert_eq!(read(&object, &mut last), fresh(&object));
        // Another status, the same spec.
        object["status"] = json!({"uid": "u", "identityId": "id_1"});
        assert_eq!(read(&object, &mut last), fresh(&object));
    }
    for (path, value) in [
        ("/status/identityId", json!("id_2")),
        ("/status/uid", json!("v")),
        // Another object, for which that status was written.
        ("/metadata/uid", json!("v")),
        ("/spec/externalId", json!("f")),
        ("/status", Value::Null),
        ("/spec", Value::Null),
    ] {
        *object.pointer_mut(path).unwrap() = value;
        assert_eq!(read(&object, &mut last), fresh(&object), "{path}");
    }
}

#[test]
fn a_poke_is_pending_until_it_is_echoed_and_remembers_when_it_was_first_seen() {
    let mut reconcile_requests = ReconcileRequests::default();
    let mut object =
        json!({"metadata": {"uid": "u", "annotations": {RECONCILE_ANNOTATION: "1"}}, "spec": {"externalId": "e"}});
    let first = snapshot(&object).read(Mono(5), &Approvals::default(), &mut reconcile_requests);
    let again = snapshot(&object).read(Mono(9), &Approvals::default(), &mut reconcile_requests);
    assert_eq!(
        (first.reconcile_request.clone().unwrap().since, again.reconcile_request),
        (Mono(5), first.reconcile_request)
    );
    object["status"] = json!({"uid": "u", "lastHandledReconcileAt": "1"});
    assert_eq!(snapshot(&object).read(Mono(9), &Approvals::default(), &mut reconcile_requests).reconcile_request, None);
    object["metadata"]["annotations"][RECONCILE_ANNOTATION] = json!("2");
    assert_eq!(
        snapshot(&object)
            .read(Mono(11), &Approvals::default(), &mut reconcile_requests)
            .reconcile_request
            .unwrap()
            .since,
        Mono(11)
    );
}

/// What an object says for its right is read without its spec being parsed. A plan has it from the parsed object, and both say the same.
#[test]
fn a_claimant_is_the_same_from_the_text_and_from_the_object() {
    let claims = [
        json!({}),
        json!({CLAIM_ANNOTATION: "u:v1:ab:"}),
        json!({CLAIM_ANNOTATION: "u:v1:ab:id_1"}),
        json!({CLAIM_ANNOTATION: "x:v1:ab:"}),
    ];
    let ready = |reason: &str| json!([{"type": "Ready", "status": "False", "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    let held = json!({"uid": "u", "identityId": "id_1", "origin": "Created", "credential": "0123456789ab", "conditions": ready("DeletionHeld")});
    let statuses = [
        json!({}),
        held.clone(),
        json!({"uid": "other", "identityId": "id_1"}),
        json!({"uid": "u", "identityId": "id_1", "origin": "Adopted"}),
        json!({"uid": "u", "conditions": ready("Synced")}),
    ];
    let mut tried = 0;
    for (claim, status) in claims.iter().flat_map(|claim| statuses.iter().map(move |status| (claim, status))) {
        for (finalizers, leaving, management) in
            [(true, true, "Enforce"), (true, false, "Observe"), (false, false, "Observe"), (false, true, "Enforce")]
        {
            let mut object = json!({
                "metadata": {"namespace": "n", "name": "e", "uid": "u", "resourceVersion": "1", "generation": 1,
                             "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": claim},
                "spec": {"externalId": "e", "managementPolicy": management}, "status": status,
            });
            if finalizers {
                object["metadata"]["finalizers"] = json!([FINALIZER]);
            }
            if leaving {
                object["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
            }
            let raw = snapshot(&object);
            let policy = Policy::default();
            let text =
                Claimant { observes: raw.owns_nothing(policy.management), ..raw.claimant(raw.read_status().as_ref()) };
            let read = raw.read(Mono::ZERO, &Approvals::default(), &mut ReconcileRequests::default());
            assert_eq!(Claimant::of(&read, raw.born(), &policy), text, "{object:#}");
            tried += 1;
        }
    }
    assert_eq!(tried, 80);
}
