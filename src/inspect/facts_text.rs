//! What is known of one externalId, as people read it. It adds nothing to the facts.

use std::fmt::Write as _;

use super::facts::{ContentFacts, Facts, PolicyFact, ResourceFacts};
use super::table::SHOWN;
use crate::plan::{field_line, limit};
use crate::text::{printable, safe};

/// Before what stands in the second column.
const INDENT: &str = "              ";

/// The whole text, with a line end at its end.
pub fn facts_text(facts: &Facts) -> String {
    let mut text = String::new();
    line(&mut text, "externalId", &shown(&facts.external_id));
    match &facts.resource {
        Some(resource) => resource_text(&mut text, resource),
        None => line(&mut text, "Identity", "none: no Identity names this externalId"),
    }
    if let Some(owner) = &facts.owner {
        line(&mut text, "owner", owner);
    }
    if !facts.rivals.is_empty() {
        line(&mut text, "rivals", &facts.rivals.join(", "));
    }
    match (&facts.wanted, &facts.invalid) {
        (Some(wanted), _) => content(&mut text, "wanted", None, wanted),
        (None, Some(why)) => line(&mut text, "wanted", &format!("nothing that can be sent: {why}")),
        (None, None) => {}
    }
    match &facts.in_unkey {
        Some(held) => content(&mut text, "in Unkey", Some(&shown(&held.identity_id)), &held.content),
        None if facts.asked_unkey => line(&mut text, "in Unkey", "nothing"),
        None => line(&mut text, "in Unkey", "not known: Unkey was not asked"),
    }
    if facts.in_unkey.is_some() && facts.wanted.is_some() {
        let is_same = facts.difference.is_empty();
        line(&mut text, "difference", if is_same { "none" } else { "what the spec would change:" });
        for field in &facts.difference {
            let _ = writeln!(text, "{INDENT}{}", safe(&field_line(field)));
        }
    }
    next_step(&mut text, facts);
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name:<13} {}", safe(value));
}

/// A text of somebody else's.
fn shown(text: &str) -> String {
    printable(text, SHOWN)
}

fn resource_text(text: &mut String, it: &ResourceFacts) {
    let leaving = if it.leaving { ", being deleted" } else { "" };
    line(text, "Identity", &format!("{}/{}{leaving}", it.namespace, it.name));
    if it.suspended {
        let until =
            it.suspend_until.as_ref().map(|until| format!(", meant until {}", shown(until))).unwrap_or_default();
        let reason = it.suspend_reason.as_ref().map(|reason| format!(": {}", shown(reason))).unwrap_or_default();
        line(text, "suspended", &format!("yes{until}{reason}"));
    }
    line(text, "verdict", &it.verdict.sentence());
    line(text, "records", &shown(it.identity_id.as_deref().unwrap_or("no identity")));
    line(text, "claim", it.claim);
    line(text, "finalizer", if it.finalizer { "on" } else { "absent" });
    for (name, policy) in [("adoption", &it.adoption), ("deletion", &it.deletion), ("management", &it.management)] {
        let PolicyFact { value, from } = policy;
        line(text, name, &format!("{} ({from})", value.as_deref().unwrap_or("?")));
    }
}

fn content(text: &mut String, name: &str, id: Option<&str>, content: &ContentFacts) {
    let meta = match (&content.meta_keys, &content.meta) {
        (None, _) => "meta is not managed".to_owned(),
        (Some(_), Some(meta)) => format!("meta {meta}"),
        (Some(keys), None) if keys.is_empty() => "meta {}".to_owned(),
        (Some(keys), None) => format!("meta with {}", keys.iter().map(|key| shown(key)).collect::<Vec<_>>().join(", ")),
    };
    let id = id.map(|id| format!("{id}, ")).unwrap_or_default();
    line(text, name, &format!("{id}{meta}"));
    match &content.ratelimits {
        None => {
            let _ = writeln!(text, "{INDENT}ratelimits are not managed");
        }
        Some(limits) => {
            for (name, value) in limits {
                let _ = writeln!(text, "{INDENT}ratelimits[{}]  {}", shown(name), limit(value));
            }
        }
    }
}

fn next_step(text: &mut String, facts: &Facts) {
    let Some(next) = &facts.next_step else { return };
    let reason = next.reason.as_ref().map(|reason| format!(", then {reason}")).unwrap_or_default();
    let action = if next.action == "unchanged" { "nothing" } else { &next.action };
    line(text, "next step", &format!("{action}{reason}"));
    if !next.message.is_empty() {
        let _ = writeln!(text, "{INDENT}{}", safe(&next.message));
    }
    // Of an update they are what differs, which stands above.
    let is_other = next.fields != facts.difference;
    for field in next.fields.iter().filter(|_| is_other) {
        let _ = writeln!(text, "{INDENT}{}", safe(&field_line(field)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::facts::Gathered;
    use super::*;
    use crate::controller::RawIdentity;
    use crate::domain::plan::{Identity, Packed};
    use crate::domain::{Content, ExternalId, IdentityId, Limits, Meta, Policy};

    fn raw(name: &str, born: &str) -> RawIdentity {
        serde_json::from_value(json!({
            "metadata": {"namespace": "shop", "name": name, "uid": name, "creationTimestamp": born,
                "annotations": {"unkey.com/claim": format!("{name}:v1:ab:")}, "finalizers": ["unkey.com/identity"]},
            "spec": {"externalId": "acme", "meta": {"plan": "SECRET-pro"}, "deletionPolicy": "Orphan"},
        }))
        .unwrap()
    }

    fn told(show_meta: bool, asked: bool) -> String {
        let (first, second) = (raw("first", "2026-01-01T00:00:00Z"), raw("second", "2026-02-01T00:00:00Z"));
        let meta = Meta::new(json!({"plan": "SECRET-free"}).as_object().unwrap().clone());
        let found = Identity {
            external_id: ExternalId::new("acme"),
            id: IdentityId::new("id_1"),
            content: Packed::new(&Content { meta, limits: Limits::default() }),
        };
        let policy = Policy::default();
        let gathered = Gathered {
            external_id: "acme",
            meant: Some(&second),
            namesakes: vec![&second, &first],
            found: asked.then_some(&found),
            asked,
            setup: Some((&policy, "Pod ops/o-1")),
            next: None,
            annotations: &json!({"unkey.com/suspend-reason": "why"}),
        };
        facts_text(&Facts::of(gathered, show_meta))
    }

    #[test]
    fn who_owns_it_and_by_which_policies() {
        let text = told(false, true);
        for part in [
            "externalId    acme\n",
            "Identity      shop/second\n",
            "owner         shop/first\n",
            "rivals        shop/second\n",
            "claim         own\n",
            "finalizer     on\n",
            "adoption      IfLossless (default of the operator, Pod ops/o-1)\n",
            "deletion      Orphan (spec)\n",
            "in Unkey      id_1, meta with plan\n",
            "meta.plan  changed\n",
        ] {
            assert!(text.contains(part), "'{part}' is not in:\n{text}");
        }
    }

    #[test]
    fn values_of_meta_are_shown_only_if_asked_for() {
        assert!(!told(false, true).contains("SECRET"));
        let text = told(true, true);
        assert!(text.contains("\"SECRET-free\" -> \"SECRET-pro\""), "{text}");
        assert!(told(false, false).contains("in Unkey      not known: Unkey was not asked\n"));
    }
}
