//! What the operator says of an Identity, as its status shows it. It judges nothing itself.

use serde::Serialize;

use crate::api::ConditionType;
use crate::controller::RawIdentity;
use crate::domain::ObjectKey;
use crate::text::printable;

/// Characters of a message that are shown: more than the operator writes.
const SHOWN: usize = 4000;
/// So many names are told.
const NAMED: usize = 5;

/// What the operator says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    namespace: String,
    name: String,
    /// Of the condition Ready; null: there is none.
    ready: Option<String>,
    reason: Option<String>,
    cause: Option<String>,
    message: Option<String>,
    /// The resource went meanwhile.
    gone: bool,
}

impl Verdict {
    /// The last one; `None` of each part: the operator has not said.
    pub fn of(raw: &RawIdentity) -> Self {
        let status = raw.read_status();
        let condition = status.as_ref().and_then(|status| status.condition(ConditionType::Ready));
        Self {
            namespace: raw.namespace().to_owned(),
            name: raw.name().to_owned(),
            ready: condition.map(|it| it.status.clone()),
            reason: condition.map(|it| it.reason.clone()),
            cause: status.as_ref().and_then(|status| status.cause).map(|cause| format!("{cause:?}")),
            message: condition.map(|it| it.message.clone()),
            gone: false,
        }
    }

    /// The answer to the request `value`; `None`: there is none yet.
    pub fn answer(raw: &RawIdentity, value: &str) -> Option<Self> {
        let handled = raw.read_status()?.last_handled_reconcile_at;
        (handled.as_deref() == Some(value)).then(|| Self::of(raw))
    }

    /// Of a resource that is no longer there.
    pub fn gone(key: &ObjectKey) -> Self {
        let (namespace, name) = (key.namespace.clone(), key.name.clone());
        Self { namespace, name, ready: None, reason: None, cause: None, message: None, gone: true }
    }

    /// By which it is sorted.
    pub fn key(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }

    /// In one sentence, without the resource.
    pub fn sentence(&self) -> String {
        if self.gone {
            return "gone: the resource was deleted".to_owned();
        }
        let Some(reason) = &self.reason else { return "the operator has not said anything yet".to_owned() };
        let cause = self.cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
        let [reason, message] = [reason, self.message.as_deref().unwrap_or_default()].map(|it| printable(it, SHOWN));
        format!("{reason}{cause}: {message}")
    }

    /// In a line.
    pub fn line(&self) -> String {
        format!("{}/{}  {}\n", self.namespace, self.name, self.sentence())
    }
}

/// The first of many names, and how many more there are.
pub fn named_few(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let told = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { told } else { format!("{told} and {more} more") }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn raw(status: &Value) -> RawIdentity {
        serde_json::from_value(json!({"metadata": {"namespace": "shop", "name": "a"}, "status": status})).unwrap()
    }

    #[test]
    fn an_answer_repeats_the_request() {
        let ready = json!({"type": "Ready", "status": "False", "reason": "Progressing", "message": "Wait.\n",
            "lastTransitionTime": "2026-11-01T10:00:00Z"});
        let object = raw(&json!({"lastHandledReconcileAt": "x", "cause": "Queued", "conditions": [ready]}));
        assert_eq!(Verdict::answer(&object, "y"), None);
        assert_eq!(Verdict::answer(&object, "x").unwrap().line(), "shop/a  Progressing (Queued): Wait.\\n\n");
        assert_eq!(Verdict::of(&raw(&json!({}))).sentence(), "the operator has not said anything yet");
    }

    #[test]
    fn of_many_a_few_are_named() {
        let names: Vec<String> = (0..7).map(|n| format!("n{n}")).collect();
        assert_eq!(named_few(&names[..2]), "n0, n1");
        assert_eq!(named_few(&names), "n0, n1, n2, n3, n4 and 2 more");
    }
}
