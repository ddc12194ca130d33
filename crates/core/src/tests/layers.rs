//! A tier's content and an object's over it (R23).

use std::collections::BTreeMap;

use proptest::collection::btree_map;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::content::{Limit, Limits, Meta};
use crate::desired::{Desired, MAX_META_BYTES, SpecError};
use crate::ids::{ExternalId, Revision};
use crate::layers::Layer;

fn meta(value: Value) -> Meta {
    let Value::Object(object) = value else { panic!("an object") };
    Meta::new(object)
}

fn limits(all: &[(&str, i64)]) -> Limits {
    let entry = |(name, limit): &(&str, i64)| {
        ((*name).to_owned(), Limit { limit: *limit, duration: 60_000, auto_apply: *limit > 100 })
    };
    Limits::new(all.iter().map(entry).collect())
}

/// Name and requests of each limit; `None`: the field is not named.
type Row<'a> = Option<&'a [(&'a str, i64)]>;

/// Tier, object, and what comes of them: each field absent, empty or with values.
#[test]
fn r23_every_way_to_lay_one_field_over_another() {
    let (tiers, owns) = (
        json!({"plan": "pro", "features": {"sso": true, "seats": 5}}),
        json!({"company": "Acme", "features": {"sso": false}}),
    );
    let merged = json!({"plan": "pro", "company": "Acme", "features": {"sso": false}});
    let metas: [(Option<Value>, Option<Value>, Option<Value>); 9] = [
        (None, None, None),
        (None, Some(json!({})), Some(json!({}))),
        (None, Some(owns.clone()), Some(owns.clone())),
        (Some(json!({})), None, Some(json!({}))),
        (Some(json!({})), Some(json!({})), Some(json!({}))),
        (Some(json!({})), Some(owns.clone()), Some(owns.clone())),
        (Some(tiers.clone()), None, Some(tiers.clone())),
        (Some(tiers.clone()), Some(json!({})), Some(tiers.clone())),
        (Some(tiers), Some(owns), Some(merged)),
    ];
    for (tier, own, expected) in metas {
        let shown = format!("{own:?} over {tier:?}");
        let [tier, own, expected] = [tier, own, expected].map(|it| Layer { meta: it.map(meta), limits: None });
        assert_eq!(own.over(&tier), expected, "{shown}");
    }
    let (tiers, owns): (&[_], &[_]) = (&[("requests", 1_000), ("exports", 10)], &[("requests", 50), ("tokens", 5)]);
    let merged: &[_] = &[("requests", 50), ("exports", 10), ("tokens", 5)];
    let rows: [(Row<'_>, Row<'_>, Row<'_>); 9] = [
        (None, None, None),
        (None, Some(&[]), Some(&[])),
        (None, Some(owns), Some(owns)),
        (Some(&[]), None, Some(&[])),
        (Some(&[]), Some(&[]), Some(&[])),
        (Some(&[]), Some(owns), Some(owns)),
        (Some(tiers), None, Some(tiers)),
        (Some(tiers), Some(&[]), Some(tiers)),
        (Some(tiers), Some(owns), Some(merged)),
    ];
    for (tier, own, expected) in rows {
        let shown = format!("{own:?} over {tier:?}");
        let [tier, own, expected] = [tier, own, expected].map(|it| Layer { meta: None, limits: it.map(limits) });
        // Whole: with 50 requests the entry does not apply by itself, whatever the tier's does.
        assert_eq!(own.over(&tier), expected, "{shown}");
    }
}

#[test]
fn r23_together_they_are_measured_again() {
    let half = "x".repeat(MAX_META_BYTES / 2);
    let (own, tier) = (json!({"own": half}), Layer { meta: Some(meta(json!({"tier": half}))), limits: None });
    let desired = Desired::new(ExternalId::new("acme"), Some(meta(own)), None);
    assert!(matches!(tier.under(&desired), Err(SpecError::MetaTooLarge { bytes }) if bytes > MAX_META_BYTES));
    let small = Layer { meta: Some(meta(json!({"plan": "pro"}))), limits: Some(limits(&[("requests", 7)])) };
    let layered = small.under(&desired).unwrap();
    let whole = Desired::new(ExternalId::new("acme"), Some(meta(json!({"own": half, "plan": "pro"}))), small.limits);
    assert_eq!(layered, whole, "hashes included: decisions see content as ever");
}

#[test]
fn a_revision_is_short_and_of_the_content() {
    let of = |json: Value| Layer { meta: Some(meta(json)), limits: None }.revision();
    let revision = of(json!({"a": 1, "b": [2, 3]}));
    assert!(revision.as_str().starts_with("v1:") && revision.as_str().len() == 19, "{revision}");
    assert_eq!(of(json!({"b": [2.0, 3], "a": 1.0})), revision, "as Unkey stores it");
    assert_eq!(Revision::new(revision.as_str()), revision);
    let all = [
        revision,
        of(json!({"a": 1, "b": [3, 2]})),
        of(json!({})),
        Layer::default().revision(),
        Layer { meta: None, limits: Some(Limits::default()) }.revision(),
        Layer { meta: Some(Meta::default()), limits: Some(Limits::default()) }.revision(),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other != one), "{at}: {one}");
    }
    // Written down in statuses: whoever changes what is hashed changes this line knowingly, and the version before it.
    assert_eq!(Layer::default().revision().as_str(), "v1:ddcdaa20cc8cda2d");
}

fn any_layer() -> impl Strategy<Value = Layer> {
    let value = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..3_i64).prop_map(Value::from)];
    let meta = btree_map("[a-d]", value, 0..4).prop_map(|all| Meta::new(all.into_iter().collect::<Map<_, _>>()));
    let limit = (1..4_i64, any::<bool>()).prop_map(|(limit, auto_apply)| Limit { limit, duration: 1_000, auto_apply });
    let limits = btree_map("[a-d]", limit, 0..4).prop_map(Limits::new);
    (of(meta), of(limits)).prop_map(|(meta, limits)| Layer { meta, limits })
}

proptest! {
    #[test]
    fn r23_layers_are_laid_in_any_grouping(a in any_layer(), b in any_layer(), c in any_layer()) {
        prop_assert_eq!(a.over(&b).over(&c), a.over(&b.over(&c)));
        prop_assert_eq!(&a.over(&Layer::default()), &a);
        prop_assert_eq!(&Layer::default().over(&a), &a);
        prop_assert_eq!(&a.over(&a), &a);
        let empty = Layer { meta: Some(Meta::default()), limits: Some(Limits::default()) };
        let kept = empty.over(&a);
        prop_assert_eq!((kept.meta, kept.limits), (Some(a.meta.clone().unwrap_or_default()), Some(a.limits.clone().unwrap_or_default())));
    }

    /// What the object says it has, and of the tier all else.
    #[test]
    fn r23_the_object_has_its_way_and_loses_nothing_of_the_tier(own in any_layer(), tier in any_layer()) {
        let all = own.over(&tier);
        let map = |meta: &Option<Meta>| meta.as_ref().map_or_else(Map::new, |it| it.as_map().clone());
        let (owns, tiers, found) = (map(&own.meta), map(&tier.meta), map(&all.meta));
        prop_assert!(found.keys().all(|key| owns.contains_key(key) || tiers.contains_key(key)));
        prop_assert!(tiers.iter().all(|(key, value)| found.get(key) == Some(owns.get(key).unwrap_or(value))));
        prop_assert!(owns.iter().all(|(key, value)| found.get(key) == Some(value)));
        let map = |limits: &Option<Limits>| limits.as_ref().map_or_else(BTreeMap::new, |it| it.as_map().clone());
        let (owns, tiers, found) = (map(&own.limits), map(&tier.limits), map(&all.limits));
        prop_assert!(found.keys().all(|name| owns.contains_key(name) || tiers.contains_key(name)));
        prop_assert!(tiers.iter().all(|(name, limit)| found.get(name) == Some(owns.get(name).unwrap_or(limit))));
        prop_assert!(owns.iter().all(|(name, limit)| found.get(name) == Some(limit)));
        prop_assert_eq!(all.meta.is_some(), own.meta.is_some() || tier.meta.is_some());
        prop_assert_eq!(all.limits.is_some(), own.limits.is_some() || tier.limits.is_some());
    }

    /// Equal exactly where the contents are.
    #[test]
    fn r23_revisions_tell_contents_apart(a in any_layer(), b in any_layer()) {
        prop_assert_eq!(a.revision() == b.revision(), a == b);
    }
}
