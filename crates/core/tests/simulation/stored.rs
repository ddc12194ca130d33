//! Whatever is stored in a field that becomes managed, and whatever is wanted: nothing of it is lost against the policy (R18).

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use unkey_operator_api::AdoptionPolicy;
use unkey_operator_core::{Content, Controls, Field, Fields, Limit, Limits, Losses, Meta, Patch};

use crate::histories;
use crate::managing::{NOTHING, adopted, fields};
use crate::sim::{Act, End, Wish, content, wish};
use crate::syncing::synced;
use crate::world::{WINDOW, ms};

fn metas() -> impl Strategy<Value = Meta> {
    let value = prop_oneof![Just(1), Just(2)];
    prop::collection::btree_map("[ab]", value, 0..3)
        .prop_map(|map| Meta::new(map.into_iter().map(|(key, value)| (key, value.into())).collect()))
}

fn limits() -> impl Strategy<Value = Limits> {
    let limit = (1..3_i64).prop_map(|limit| Limit { limit, duration: 1000, auto_apply: false });
    prop::collection::btree_map(prop_oneof![Just("req".to_owned()), Just("sum".to_owned())], limit, 0..3)
        .prop_map(|map: BTreeMap<String, Limit>| Limits::new(map))
}

fn contents() -> impl Strategy<Value = Content> {
    (metas(), limits()).prop_map(|(meta, limits)| Content { meta, limits })
}

fn wishes() -> impl Strategy<Value = Wish> {
    let never = prop::option::weighted(0.3, Just(AdoptionPolicy::Never));
    (prop::option::of(metas()), prop::option::of(limits()), never, prop::bool::weighted(0.1)).prop_map(
        |(meta, limits, adoption, suspend)| Wish {
            meta,
            limits,
            controls: Controls { adoption, suspend, ..Controls::default() },
            invalid: false,
        },
    )
}

/// What others, or an earlier life of the field, have left in Unkey and no update of ours has taken over yet.
#[derive(Debug)]
struct Theirs {
    meta: Option<Meta>,
    limits: Option<Limits>,
}

impl Theirs {
    /// Managed without an update of ours is only what was there already as the spec wants it.
    fn are_taken(&mut self, fields: &Fields) {
        if let (Some(theirs), true) = (&self.meta, fields.meta.is_managed()) {
            assert_eq!(fields.meta, Field::Managed(Some(theirs.hash())), "managed without a look: {theirs:?}");
            self.meta = None;
        }
        if let (Some(theirs), true) = (&self.limits, fields.limits.is_managed()) {
            assert_eq!(fields.limits, Field::Managed(Some(theirs.hash())), "managed without a look: {theirs:?}");
            self.limits = None;
        }
    }

    fn survives(&mut self, patch: &Patch) {
        if let (Some(theirs), Some(wanted)) = (&self.meta, &patch.meta) {
            assert!(Losses::of_meta(wanted, theirs).is_empty(), "{theirs:?} is lost to {wanted:?}");
            self.meta = None;
        }
        if let (Some(theirs), Some(wanted)) = (&self.limits, &patch.limits) {
            assert!(Losses::of_limits(wanted, theirs).is_empty(), "{theirs:?} is lost to {wanted:?}");
            self.limits = None;
        }
    }
}

proptest! {
    #![proptest_config(histories::config())]

    /// Whatever is stored and whatever is wanted, with lost answers, crashes and lag: under `IfLossless` and `Never` nothing is lost.
    #[test]
    fn nothing_stored_is_lost(
        stored in contents(),
        made in any::<bool>(),
        steps in prop::collection::vec((wishes(), histories::scripts(false), (0..70_000_u64).prop_map(ms), any::<bool>()), 1..8),
        lag in prop_oneof![Just(Duration::ZERO), (0..29_000_u64).prop_map(ms)],
    ) {
        let mut sim = if made { synced(NOTHING) } else { adopted(NOTHING) };
        sim.act(&Act::StrangerWrites(stored.clone()));
        sim.sleep(2 * WINDOW);
        sim.unkey.lag = lag;
        let mut theirs = Theirs { meta: Some(stored.meta), limits: Some(stored.limits) };
        for (wish, mut script, sleep, restart) in steps {
            script.meanwhile = None;
            sim.apply(wish);
            sim.reconcile_with(&script);
            sim.sleep(sleep);
            if restart {
                sim.restart();
            }
            sim.settle();
            sim.unkey.updates.drain(..).for_each(|patch| theirs.survives(&patch));
            theirs.are_taken(fields(&sim));
            if let (true, Some(live)) = (sim.ready(), &sim.unkey.live) {
                let fields = fields(&sim);
                let free = |field: &Field| *field == Field::Unmanaged;
                // Released, and so to be looked at when it comes back.
                theirs.meta = free(&fields.meta).then(|| live.content.meta.clone()).or(theirs.meta);
                theirs.limits = free(&fields.limits).then(|| live.content.limits.clone()).or(theirs.limits);
            }
        }
    }
}

/// That work waits was told of a generation that left a field out, and what stands there is another's by then. It comes to rest all the same:
/// `PROPTEST_CASES=20000` found that it read without end.
#[test]
fn a_field_that_is_released_while_work_waits_is_not_looked_at_without_end() {
    let mut sim = synced(r#""ratelimits":[{"name":"req","limit":2,"duration":1000}]"#);
    sim.act(&Act::StrangerWrites(content(
        r#""meta":{"plan":"a"},"ratelimits":[{"name":"req","limit":1,"duration":1000}]"#,
    )));
    sim.apply(wish(r#""meta":{"plan":"b"}"#));
    sim.tell();
    assert_eq!(sim.settle(), End::Done);
    sim.taken();
    sim.sleep(2 * WINDOW);
    assert_eq!(sim.reconcile(), End::Done);
    assert!(sim.taken().is_empty(), "R12");
}
