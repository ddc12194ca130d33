//! Which fields are managed: as a status tells it, as 0.1 told it, and as another version may have written it (R18).

use proptest::prelude::*;
use serde_json::json;

use super::any::fields;
use super::*;
use unkey_operator_api::{AppliedHashes, IdentityStatus, Reason};

fn hash(text: &str) -> FieldHash {
    FieldHash::parse(text).expect("a hash of this version")
}

fn texts(meta: Option<&str>, ratelimits: Option<&str>) -> AppliedHashes {
    AppliedHashes { meta: meta.map(str::to_owned), ratelimits: ratelimits.map(str::to_owned) }
}

/// What a status without the newer fields says of the meta.
fn meta_of(meta: Option<&str>, rests: bool) -> Field {
    Fields::read(&texts(meta, None), &AppliedHashes::default(), None, rests).meta
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is written is read back, at rest and while work is under way.
    #[test]
    fn a_status_tells_all_of_it(fields in fields(), rests in any::<bool>()) {
        let (hashes, pending) = (fields.hashes().unwrap_or_default(), fields.pending().unwrap_or_default());
        let read = Fields::read(&hashes, &pending, fields.managed(rests).as_deref(), rests);
        prop_assert_eq!(read, fields);
    }

    /// What 0.1 could say is said in its words: no other version's status changes its form.
    #[test]
    fn what_hashes_say_needs_no_other_word(fields in fields()) {
        let plain = |field: &Field| matches!(field, Field::Unmanaged | Field::Managed(Some(_)));
        prop_assert_eq!(fields.managed(true).is_none(), plain(&fields.meta) && plain(&fields.limits));
    }
}

#[test]
fn a_hash_says_managed_whoever_wrote_it() {
    for rests in [true, false] {
        assert_eq!(meta_of(Some("v1:aa"), rests), Field::Managed(Some(hash("v1:aa"))));
        assert_eq!(meta_of(Some("v2:aa"), rests), Field::Managed(None), "unknown is not unmanaged");
    }
    // Whatever else stands there: a later version may list in another way.
    let read = Fields::read(&texts(Some("v2:aa"), None), &AppliedHashes::default(), Some(&[]), true);
    assert_eq!(read, Fields { meta: Field::Managed(None), limits: Field::Unmanaged });
}

#[test]
fn a_pending_hash_that_cannot_be_read_is_managed() {
    let read = |pending: &str, managed: &[&str]| {
        let managed: Vec<String> = managed.iter().map(|&name| name.to_owned()).collect();
        Fields::read(&AppliedHashes::default(), &texts(Some(pending), None), Some(&managed), false)
    };
    assert_eq!(read("v1:aa", &[]).meta, Field::Pending(hash("v1:aa")));
    assert_eq!(read("v2:aa", &[]).meta, Field::Managed(None));
    assert_eq!(read("v1:aa", &["meta", "tags"]).meta, Field::Managed(None));
    assert_eq!(read("v1:aa", &["ratelimits"]).limits, Field::Managed(None));
    assert_eq!(read("v1:aa", &["tags"]).limits, Field::Unmanaged);
}

/// 0.1 wrote no list. At rest a field without a hash was not managed; under way its update may have gone unanswered.
#[test]
fn a_status_of_0_1_says_managed_if_an_update_may_have_been_sent() {
    for (conditions, reason, managed) in [
        (&["Ready"] as &[_], Reason::Synced, false),
        (&["Suspended"], Reason::Suspended, false),
        (&["Stalled"], Reason::InvalidSpec, false),
        (&["Stalled"], Reason::Rejected, false),
        (&["Stalled"], Reason::ExternalIdConflict, false),
        (&["Stalled"], Reason::IdentityMismatch, false),
        (&["Stalled"], Reason::NotConverging, true),
        (&[], Reason::Progressing, true),
        (&[], Reason::UpstreamUnavailable, true),
        (&[], Reason::RateLimited, true),
        (&[], Reason::Unauthorized, true),
        (&[], Reason::PermissionDenied, true),
    ] {
        let condition = |kind: &str| {
            let status = if conditions.contains(&kind) { "True" } else { "False" };
            json!({"type": kind, "status": status, "reason": reason.as_str(), "message": "m",
                "lastTransitionTime": "2026-01-01T00:00:00Z"})
        };
        let conditions: Vec<_> = ["Ready", "Stalled", "Suspended"].map(condition).into();
        let status = json!({"uid": "u", "observedGeneration": 1, "identityId": "id_1",
            "applied": {"ratelimits": "v1:bb"}, "conditions": conditions});
        let status: IdentityStatus = serde_json::from_value(status).expect("a status");
        let recorded = PriorStatus::read(Some(&status), &uid("u"), Some(&ExternalId::new("customer-1")));
        let fields = &recorded.own().expect("own").held.as_ref().expect("held").fields;
        assert_eq!(fields.limits, Field::Managed(Some(hash("v1:bb"))), "{reason}");
        assert_eq!(fields.meta, if managed { Field::Managed(None) } else { Field::Unmanaged }, "{reason}");
    }
}

#[test]
fn what_is_accepted_released_or_in_doubt_moves_its_own_field() {
    let desired = Desired::new(super::any::customer(), Some(meta("{}")), None);
    let before = Fields { meta: Field::Pending(hash("v1:aa")), limits: Field::Managed(Some(hash("v1:bb"))) };
    let accepted = before.overlaid(&Applied { meta: Some(hash("v1:cc")), limits: None });
    assert_eq!(accepted, Fields { meta: Field::Managed(Some(hash("v1:cc"))), limits: before.limits.clone() });
    assert_eq!(before.kept_by(&desired), Fields { meta: before.meta.clone(), limits: Field::Unmanaged });
    assert_eq!(before.clone().unsure(true, false), before, "what was never accepted stays pending");
    assert_eq!(before.clone().unsure(false, true).limits, Field::Managed(None));
    assert_eq!(Fields::default().unsure(true, true), Fields::default());
    assert!(before.meta.is_named() && !before.meta.is_managed() && before.limits.is_managed());
    assert_eq!(before.applied(), Applied { meta: None, limits: Some(hash("v1:bb")) });
    assert_eq!(Fields::unknown(&desired), Fields { meta: Field::Managed(None), limits: Field::Unmanaged });
}
