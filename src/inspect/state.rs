//! What is the matter with an Identity, in words to choose by. Several may fit at once. It judges nothing that the operator judges: what is
//! wanted and what is there is compared, and the status is believed.

use std::collections::HashMap;

use clap::ValueEnum;
use serde::Serialize;

use crate::api::{IdentityStatus, ManagementPolicy, Reason};
use crate::controller::{Approvals, RawIdentity, ReconcileRequests};
use crate::domain::plan::{FieldChange, Identity, difference};
use crate::domain::{Content, Desired, ExternalId, Mono, Object};

/// What is the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The Identity records an identity, which the operator keeps equal to the spec.
    Managed,
    /// An identity in Unkey that no Identity names.
    Unmanaged,
    /// Unkey does not hold the identity.
    Missing,
    /// Unkey holds something else than the spec asks for.
    Differs,
    /// The deletion waits for an approval.
    Held,
    /// spec.suspend is true.
    Suspended,
    /// The operator only observes.
    Observed,
}

impl State {
    /// The cluster alone does not tell.
    pub fn needs_unkey(self) -> bool {
        matches!(self, Self::Unmanaged | Self::Missing | Self::Differs)
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Unmanaged => "unmanaged",
            Self::Missing => "missing",
            Self::Differs => "differs",
            Self::Held => "held",
            Self::Suspended => "suspended",
            Self::Observed => "observed",
        }
    }
}

/// What Unkey holds, by externalId; of a name that was asked for and is not in it, nothing.
pub type Upstream = HashMap<ExternalId, Identity>;

/// The object as a decision of this moment sees it.
pub fn read(raw: &RawIdentity) -> Object {
    raw.read(Mono::ZERO, &Approvals::default(), &mut ReconcileRequests::default())
}

/// All that fits, in the order of [`State`]. `upstream`: `None`: Unkey was not asked.
pub fn states(raw: &RawIdentity, status: Option<&IdentityStatus>, upstream: Option<&Upstream>) -> Vec<State> {
    let object = read(raw);
    let reason = status.and_then(IdentityStatus::reason);
    let recorded = raw.claimant(status).recorded;
    let is_observed =
        object.controls.management == Some(ManagementPolicy::Observe) || reason.is_some_and(Reason::is_observing);
    let mut all = Vec::new();
    let mut add = |state: State, fits: bool| all.extend(fits.then_some(state));
    add(State::Managed, recorded.is_some() && !is_observed);
    if let Some(upstream) = upstream.filter(|_| !raw.is_leaving()) {
        let found = upstream.get(raw.external_id());
        let is_it = found.is_some_and(|found| recorded.as_ref().is_none_or(|id| *id == found.id));
        add(State::Missing, !is_it);
        let differs = |found: &Identity| {
            object.spec.as_ref().is_ok_and(|it| !differences(it, &found.content.unpacked()).is_empty())
        };
        add(State::Differs, is_it && found.is_some_and(differs));
    }
    add(State::Held, raw.is_leaving() && reason == Some(Reason::DeletionHeld));
    add(State::Suspended, object.controls.suspend);
    add(State::Observed, is_observed);
    all
}

/// What would change if all that `desired` names were written. What it does not name stays as it is.
pub fn differences(desired: &Desired, found: &Content) -> Vec<FieldChange> {
    let wanted = Content {
        meta: desired.meta.clone().unwrap_or_else(|| found.meta.clone()),
        limits: desired.limits.clone().unwrap_or_else(|| found.limits.clone()),
    };
    difference(found, &wanted)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::plan::Packed;
    use crate::domain::{IdentityId, Limits, Meta};

    fn of(change: impl FnOnce(&mut Value), upstream: Option<&[(&str, &str, Value)]>) -> Vec<&'static str> {
        let ready = json!({"type": "Ready", "status": "True", "reason": "Synced", "message": "m",
            "lastTransitionTime": "2026-11-01T10:00:00Z"});
        let mut object = json!({
            "metadata": {"namespace": "shop", "name": "a", "uid": "u"},
            "spec": {"externalId": "acme", "meta": {"plan": "pro"}},
            "status": {"uid": "u", "identityId": "id_1", "conditions": [ready]},
        });
        change(&mut object);
        let raw: RawIdentity = serde_json::from_value(object).unwrap();
        let upstream: Option<Upstream> = upstream.map(|all| {
            let each = all.iter().map(|(external_id, id, meta)| Identity {
                external_id: ExternalId::new(external_id),
                id: IdentityId::new(id),
                content: Packed::new(&Content {
                    meta: Meta::new(meta.as_object().unwrap().clone()),
                    limits: Limits::default(),
                }),
            });
            each.map(|it| (it.external_id.clone(), it)).collect()
        });
        states(&raw, raw.read_status().as_ref(), upstream.as_ref()).into_iter().map(State::as_str).collect()
    }

    #[test]
    fn the_cluster_alone_tells_some() {
        assert_eq!(of(|_| {}, None), ["managed"]);
        assert_eq!(of(|it| it["spec"]["suspend"] = json!(true), None), ["managed", "suspended"]);
        assert_eq!(of(|it| it["spec"]["managementPolicy"] = json!("Observe"), None), ["observed"]);
        assert_eq!(of(|it| it["status"]["uid"] = json!("another"), None), [""; 0]);
        let held = |it: &mut Value| {
            it["metadata"]["deletionTimestamp"] = json!("2026-11-01T10:00:00Z");
            it["status"]["conditions"][0]["reason"] = json!("DeletionHeld");
        };
        assert_eq!(of(held, None), ["managed", "held"]);
    }

    #[test]
    fn unkey_tells_the_others() {
        let pro = json!({"plan": "pro"});
        assert_eq!(of(|_| {}, Some(&[("acme", "id_1", pro.clone())])), ["managed"]);
        assert_eq!(of(|_| {}, Some(&[("acme", "id_1", json!({"plan": "free"}))])), ["managed", "differs"]);
        assert_eq!(of(|_| {}, Some(&[("other", "id_1", pro.clone())])), ["managed", "missing"]);
        assert_eq!(of(|_| {}, Some(&[("acme", "id_2", pro)])), ["managed", "missing"], "another one stands there");
        let not_managed = |it: &mut Value| it["spec"] = json!({"externalId": "acme"});
        assert_eq!(of(not_managed, Some(&[("acme", "id_1", json!({"theirs": 1}))])), ["managed"]);
    }
}
