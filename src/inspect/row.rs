//! The rows of `list`. It lists nothing itself.

use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

use super::state::{State, Upstream, states};
use super::table::{age, table};
use crate::api::ConditionType;
use crate::controller::RawIdentity;
use crate::domain::plan::Identity;

/// One Identity, or an identity that none names.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Null: no Identity names it.
    pub namespace: Option<String>,
    /// Null: no Identity names it.
    pub name: Option<String>,
    /// Its key in Unkey.
    pub external_id: String,
    /// The id that is recorded or was seen.
    pub identity_id: Option<String>,
    /// All that fits.
    pub states: Vec<State>,
    /// Of the Ready condition.
    pub reason: Option<String>,
    /// When the resource was created, RFC 3339.
    pub created: Option<String>,
    #[serde(skip)]
    born: i64,
}

impl Row {
    /// Of a resource. `upstream`: `None`: Unkey was not asked.
    pub fn of(raw: &RawIdentity, upstream: Option<&Upstream>) -> Self {
        let status = raw.read_status();
        let seen = status.as_ref().and_then(|status| {
            let observed = status.observed.as_ref().and_then(|observed| observed.identity_id.as_deref());
            status.identity_id.as_deref().or(observed)
        });
        let ready = status.as_ref().and_then(|status| status.condition(ConditionType::Ready));
        Self {
            namespace: Some(raw.namespace().to_owned()),
            name: Some(raw.name().to_owned()),
            external_id: raw.external_id().as_str().to_owned(),
            identity_id: seen.map(str::to_owned),
            states: states(raw, status.as_ref(), upstream),
            reason: ready.map(|ready| ready.reason.clone()),
            created: Timestamp::from_second(raw.born()).ok().map(|time| time.to_string()),
            born: raw.born(),
        }
    }

    /// Of an identity that no resource names.
    pub fn unmanaged(identity: &Identity) -> Self {
        Self {
            namespace: None,
            name: None,
            external_id: identity.external_id.as_str().to_owned(),
            identity_id: Some(identity.id.as_str().to_owned()),
            states: vec![State::Unmanaged],
            reason: None,
            created: None,
            born: 0,
        }
    }

    /// True if one of these fits; without any, always.
    pub fn is_one_of(&self, wanted: &[State]) -> bool {
        wanted.is_empty() || wanted.iter().any(|state| self.states.contains(state))
    }

    fn words(&self) -> String {
        self.states.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(",")
    }
}

/// The rows as people read them. `now`: in seconds since 1970.
pub fn rows(rows: &[Row], with_namespace: bool, now: i64) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let lines: Vec<[String; 7]> = rows
        .iter()
        .map(|row| {
            let age = row.created.as_ref().map_or_else(String::new, |_| age(row.born, now));
            let id = text(&row.identity_id);
            [text(&row.namespace), text(&row.name), row.external_id.clone(), id, row.words(), text(&row.reason), age]
        })
        .collect();
    if with_namespace {
        return table(["NAMESPACE", "NAME", "EXTERNAL-ID", "IDENTITY-ID", "STATE", "REASON", "AGE"], &lines);
    }
    let lines: Vec<[String; 6]> = lines.into_iter().map(|[_, rest @ ..]| rest).collect();
    table(["NAME", "EXTERNAL-ID", "IDENTITY-ID", "STATE", "REASON", "AGE"], &lines)
}
