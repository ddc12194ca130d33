//! For the model checker: what counts as the same session, and wrong ones on purpose.

use std::hash::{Hash, Hasher};

use super::super::crd::Crd;
use super::super::ids::Mono;
use super::super::object::Object;
use super::Session;
use super::protocol::{Flight, Request, What};

impl Session {
    /// Feeds what matters of it to `hasher`. `time` tells a moment as one relative to now, to which moments long past are alike;
    /// `is_now`: nothing that was seen at that moment is void yet.
    pub fn fingerprint<H: Hasher>(&self, time: impl Fn(Mono) -> i64, is_now: impl Fn(Mono) -> bool, hasher: &mut H) {
        let Self {
            uid,
            policy,
            crd,
            clears_up,
            gone,
            looked,
            asked_at,
            claimed,
            // A bound that no history of the model comes near.
            requests: _,
            flight,
            doubted,
            ends,
            events,
        } = self;
        (uid, &policy.credential, clears_up, gone, claimed, format!("{ends:?}")).hash(hasher);
        match crd {
            // Another look is due or not.
            Crd::Doubtful(again) => (true, time(*again).max(0)).hash(hasher),
            Crd::Unguarded | Crd::Unseen | Crd::Stays | Crd::Going | Crd::Hidden => (false, crd).hash(hasher),
        }
        looked.is_some_and(is_now).hash(hasher);
        // The model performs what follows from these at once.
        (doubted.is_some(), events.len()).hash(hasher);
        // What was asked for and not sent is decided anew.
        let sent = match flight {
            Flight::None | Flight::Asked(_) => None,
            Flight::Sent { request, noted } => Some((request, noted)),
        };
        sent.is_some().hash(hasher);
        if let Some((request, noted)) = sent {
            (time(*asked_at), noted).hash(hasher);
            request.fingerprint(hasher);
        }
    }

    /// The step that was asked for is not made now: it is decided anew.
    pub fn reconsiders(&mut self) {
        if matches!(self.flight, Flight::Asked(_)) {
            self.flight = Flight::None;
        }
    }

    /// On purpose wrong: the look that `before` had allows a write still.
    pub fn keeps_look(&mut self, before: &Self) {
        self.looked = before.looked;
    }
}

impl Request {
    fn fingerprint<H: Hasher>(&self, hasher: &mut H) {
        let Self { object, what } = self;
        let Object {
            // One key for all.
            key: _,
            // The uid is the session's; the version is tested by patches, which the model answers at once.
            guard: _,
            phase,
            leaving_for: _,
            fresh,
            finalizer,
            claim,
            crowd,
            generation,
            reconcile_request,
            external_id,
            controls,
            spec: _,
            recorded,
            // The model has no brake.
            approval: _,
        } = object;
        let reconcile_request = reconcile_request.as_ref().map(|reconcile_request| &reconcile_request.value);
        (phase, fresh, finalizer, crowd, generation, reconcile_request, external_id, controls).hash(hasher);
        // A call carries all that it needs of the spec.
        let what = match what {
            What::LookForEnd => "look for the end".to_owned(),
            What::Kube(step) => format!("{step:?}"),
            What::Call(call) => format!("{call:?}"),
        };
        (what, format!("{claim:?}{recorded:?}")).hash(hasher);
    }
}
