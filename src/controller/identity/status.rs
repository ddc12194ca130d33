//! From a domain report to the status as it is stored: conditions, and when they last changed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::api::{ConditionType, IdentityStatus, StatusCondition};
use crate::domain::{ObjectKey, StatusUpdate, Uid, Verdict};

/// The status that says `report`. Transition times move only where a condition's status does.
pub fn render(
    report: &StatusUpdate,
    key: &ObjectKey,
    uid: &Uid,
    before: Option<&IdentityStatus>,
    now: Timestamp,
) -> IdentityStatus {
    let message = report.message(key);
    let condition = |type_: ConditionType, is: bool| {
        let status = if is { "True" } else { "False" };
        let unchanged = before
            .and_then(|before| before.condition(type_))
            .filter(|c| c.status == status)
            .map(|c| c.last_transition_time.clone());
        StatusCondition {
            type_: type_.as_str().to_owned(),
            status: status.to_owned(),
            observed_generation: Some(report.generation),
            last_transition_time: unchanged.unwrap_or(Time(now)),
            reason: report.verdict.reason().as_str().to_owned(),
            message: message.clone(),
        }
    };
    let mut conditions = vec![condition(ConditionType::Ready, report.verdict.is_ready())];
    if report.verdict.is_stalled() {
        conditions.push(condition(ConditionType::Stalled, true));
    }
    if report.verdict == Verdict::Suspended {
        conditions.push(condition(ConditionType::Suspended, true));
    }
    let held = report.held.as_ref();
    IdentityStatus {
        observed_generation: Some(report.generation),
        uid: Some(uid.as_str().to_owned()),
        identity_id: held.map(|held| held.identity.id().as_str().to_owned()),
        origin: held.and_then(|held| held.origin),
        applied: held.and_then(|held| held.fields.hashes()),
        managed: held.and_then(|held| held.fields.managed(report.verdict.rests())),
        pending: held.and_then(|held| held.fields.pending()),
        observed: report.observed(),
        deletion_policy: Some(report.deletion),
        credential: held.and_then(|held| held.credential.clone()),
        cause: report.verdict.cause(),
        last_handled_reconcile_at: report.handled_request.clone(),
        conditions,
    }
}
