//! Holds a plan against what the operator then did.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use unkey_emulator::{IdentityView, Operation};

use super::super::harness::{World, condition};
use super::worlds::Little;

/// What Unkey held when the plan was made.
#[derive(Debug, PartialEq)]
pub struct Before(BTreeMap<String, Value>);

impl Before {
    pub fn of(world: &World) -> Self {
        Self(contents(world))
    }
}

fn contents(world: &World) -> BTreeMap<String, Value> {
    let live = world.workspace.snapshot().live;
    live.into_iter().map(|it| (it.external_id.clone(), fields_of(&it))).collect()
}

/// What an identity holds, by the paths of a plan.
fn fields_of(identity: &IdentityView) -> Value {
    let meta =
        identity.meta.as_object().into_iter().flatten().map(|(key, value)| (format!("meta.{key}"), value.clone()));
    let limits = identity.ratelimits.iter().map(|it| {
        let value = json!({"limit": it.limit, "duration": it.duration, "autoApply": it.auto_apply});
        (format!("ratelimits[{}]", it.name), value)
    });
    Value::Object(meta.chain(limits).collect::<Map<_, _>>())
}

/// What differs between the plan and what was done, a sentence for each externalId.
pub async fn compared(world: &World, littles: &[Little], before: &Before, report: &Value) -> Vec<String> {
    let mut planned: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for change in report["changes"].as_array().unwrap() {
        planned.entry(change["externalId"].as_str().unwrap()).or_default().push(change);
    }
    let mut written: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for entry in world.workspace.requests() {
        let called = match entry.operation {
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::Delete => "delete",
            _ => continue,
        };
        if entry.handled == Some(200) {
            written.entry(entry.external_id.unwrap()).or_default().push(called);
        }
    }
    let after = contents(world);
    let objects: BTreeMap<String, Value> =
        world.list().await.into_iter().map(|it| (it["metadata"]["name"].as_str().unwrap().to_owned(), it)).collect();
    let mut wrong = Vec::new();
    for little in littles {
        let id = little.external_id.as_str();
        let changes = planned.get(id).map_or(&[][..], Vec::as_slice);
        let writes: Vec<&str> = changes.iter().filter_map(|change| write(change)).collect();
        let done = written.get(id).map_or(&[][..], Vec::as_slice);
        let now = after.get(id).cloned();
        let expected = becomes(before.0.get(id), changes);
        let reasons = reasons(changes, &objects);
        if writes != done || expected != now || !reasons.is_empty() {
            wrong.push(format!(
                "{id}: planned {writes:?}, done {done:?}; expected {}, found {}; {}",
                expected.unwrap_or_default(),
                now.unwrap_or_default(),
                reasons.join(", ")
            ));
        }
    }
    wrong
}

/// The write that an action stands for.
fn write(change: &Value) -> Option<&'static str> {
    let changes = !change["fields"].as_array().unwrap().is_empty();
    match change["action"].as_str().unwrap() {
        "create" | "recreate" => Some("create"),
        "update" => Some("update"),
        "adopt" if changes => Some("update"),
        "delete" => Some("delete"),
        _ => None,
    }
}

/// What the identity holds once the changes are made.
fn becomes(before: Option<&Value>, changes: &[&Value]) -> Option<Value> {
    let mut content = before.cloned();
    for change in changes {
        match change["action"].as_str().unwrap() {
            "delete" => content = None,
            "create" | "recreate" => content = Some(json!({})),
            _ => {}
        }
        for field in change["fields"].as_array().unwrap() {
            let path = field["path"].as_str().unwrap().to_owned();
            let fields = content.as_mut().unwrap().as_object_mut().unwrap();
            let found = fields.get(&path).cloned();
            assert_eq!(found.as_ref(), field.get("from"), "{change:#}");
            match field.get("to") {
                Some(to) => drop(fields.insert(path, to.clone())),
                None => drop(fields.remove(&path)),
            }
        }
    }
    content
}

/// Objects that say something else in the end than the plan did.
fn reasons(changes: &[&Value], objects: &BTreeMap<String, Value>) -> Vec<String> {
    let said = |change: &&Value| {
        let name = change["name"].as_str().unwrap();
        let goes = ["delete", "release"].contains(&change["action"].as_str().unwrap());
        let found = objects.get(name).map(|object| condition(object, "Ready")["reason"].clone());
        let right = if goes { found.is_none() } else { found.as_ref() == Some(&change["reason"]) };
        (!right).then(|| format!("{name}: planned {} {}, found {found:?}", change["action"], change["reason"]))
    };
    changes.iter().filter_map(said).collect()
}
