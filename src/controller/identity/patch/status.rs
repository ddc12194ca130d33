//! The patch of a status. The list of conditions is shared with other tools, so it is changed piece by piece.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::{ConditionType, IdentityStatus};
use crate::domain::Guard;

/// The status, whole but for the conditions of other tools: those stay as they are, read or unread, and also where one is written between our
/// read and this patch. It tests what it was computed from instead of the resourceVersion, so that an edit of labels does not fail it,
/// and the status of a paused old leader does (S41). A test against `null` passes if the field is absent.
pub fn status(guard: &Guard, before: Option<&Value>, after: &Value) -> Value {
    let was = |field: &str| before.and_then(|status| status.get(field)).cloned().unwrap_or(Value::Null);
    let mut patch = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": guard.uid.as_str()}),
        json!({"op": "test", "path": "/status/observedGeneration", "value": was("observedGeneration")}),
        json!({"op": "test", "path": "/status/identityId", "value": was("identityId")}),
    ];
    match (before.and_then(Value::as_object), after.as_object()) {
        (Some(before), Some(after)) => {
            let names = IdentityStatus::FIELDS.into_iter().chain(before.keys().map(String::as_str));
            // Each once, in an order that does not depend on what was there.
            let names: BTreeSet<&str> = names.chain(after.keys().map(String::as_str)).collect();
            for name in names {
                match name {
                    "conditions" => conditions(before.get(name), after.get(name), &mut patch),
                    _ => patch.push(field(name, before.get(name), after.get(name))),
                }
            }
        }
        _ => patch.push(json!({"op": "add", "path": "/status", "value": after})),
    }
    Value::Array(patch)
}

/// A field as it is to be, whatever it is when the patch arrives; where it is to be absent, that is tested.
fn field(name: &str, before: Option<&Value>, after: Option<&Value>) -> Value {
    let path = format!("/status/{}", name.replace('~', "~0").replace('/', "~1"));
    match (before, after) {
        (_, Some(value)) => json!({"op": "add", "path": path, "value": value}),
        (Some(_), None) => json!({"op": "remove", "path": path}),
        (None, None) => json!({"op": "test", "path": path, "value": null}),
    }
}

/// Our conditions where they stand in the list, by place and type; new ones go to its end. If the list has been moved meanwhile, a test fails.
fn conditions(before: Option<&Value>, after: Option<&Value>, patch: &mut Vec<Value>) {
    const PATH: &str = "/status/conditions";
    let ours = after.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let Some(listed) = before.and_then(Value::as_array) else {
        if before.is_none() {
            patch.push(json!({"op": "test", "path": PATH, "value": null}));
        }
        patch.push(json!({"op": "add", "path": PATH, "value": ours}));
        return;
    };
    let (mut replaced, mut removed, mut added) = (Vec::new(), BTreeSet::new(), Vec::new());
    for kind in ConditionType::ALL.map(ConditionType::as_str) {
        let mut places = listed.iter().enumerate().filter(|(_, it)| it["type"] == kind).map(|(place, _)| place);
        let condition = ours.iter().find(|it| it["type"] == kind);
        for place in places.clone() {
            patch.push(json!({"op": "test", "path": format!("{PATH}/{place}/type"), "value": kind}));
        }
        match (places.next(), condition) {
            (Some(place), Some(condition)) => replaced.push((place, condition)),
            (Some(place), None) => drop(removed.insert(place)),
            (None, Some(condition)) => added.push(condition),
            (None, None) => {}
        }
        // Never two of a type, whoever put them there.
        removed.extend(places);
    }
    for (place, condition) in replaced {
        patch.push(json!({"op": "replace", "path": format!("{PATH}/{place}"), "value": condition}));
    }
    // From the end, so that the others stay in their places until their turn.
    for place in removed.into_iter().rev() {
        patch.push(json!({"op": "remove", "path": format!("{PATH}/{place}")}));
    }
    for condition in added {
        patch.push(json!({"op": "add", "path": format!("{PATH}/-"), "value": condition}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Uid;

    fn guard() -> Guard {
        Guard { uid: Uid::new("u"), resource_version: "7".to_owned() }
    }

    fn kind(name: &str, word: &str) -> Value {
        json!({"type": name, "message": word})
    }

    /// What the API server makes of a status patch: the operations that [`status`] uses.
    fn applied(status: &Value, steps: &Value) -> Option<Value> {
        let mut object = json!({"metadata": {"uid": "u"}, "status": status});
        for step in steps.as_array().unwrap() {
            let (path, value) = (step["path"].as_str().unwrap(), &step["value"]);
            let (parent, last) = path.rsplit_once('/').unwrap();
            let last = &*last.replace("~1", "/").replace("~0", "~");
            let parent = object.pointer_mut(parent)?;
            match (step["op"].as_str().unwrap(), parent) {
                ("test", parent) => {
                    let found = match parent {
                        Value::Array(all) => all.get(last.parse::<usize>().unwrap())?,
                        parent => parent.get(last).unwrap_or(&Value::Null),
                    };
                    (found == value).then_some(())?;
                }
                ("add", Value::Object(map)) => drop(map.insert(last.to_owned(), value.clone())),
                ("add", Value::Array(all)) if last == "-" => all.push(value.clone()),
                ("replace", Value::Array(all)) => *all.get_mut(last.parse::<usize>().unwrap())? = value.clone(),
                ("remove", Value::Object(map)) => drop(map.remove(last)?),
                ("remove", Value::Array(all)) => drop(all.remove(last.parse().unwrap())),
                (op, _) => panic!("{op} at {path}"),
            }
        }
        Some(object["status"].take())
    }

    /// Every list that the operator can write over every list it can find, with conditions of others in every place.
    #[test]
    fn conditions_of_others_stay_and_ours_are_as_they_shall_be() {
        let lists = [
            vec!["Ready"],
            vec!["Ready", "Stalled"],
            vec!["Stalled", "Ready"],
            vec!["Ready", "Suspended"],
            vec!["Suspended", "Ready", "Ready"],
            vec![],
        ];
        let (theirs, odd) = (kind("Backup", "theirs"), json!({"no": "type"}));
        for before in &lists {
            for after in &lists[..4] {
                for mask in 0..1_u32 << (before.len() + 1) {
                    let mut listed = Vec::new();
                    for (place, own) in before.iter().map(Some).chain([None]).enumerate() {
                        if mask & (1 << place) != 0 {
                            listed.extend([theirs.clone(), odd.clone(), kind("ready", "theirs")]);
                        }
                        listed.extend(own.map(|own| kind(own, "old")));
                    }
                    let foreign: Vec<Value> = listed.iter().filter(|it| it["message"] != "old").cloned().collect();
                    let new: Vec<Value> = after.iter().map(|own| kind(own, "new")).collect();
                    let status_before = json!({"observedGeneration": 1, "conditions": listed});
                    let status_after = json!({"observedGeneration": 2, "conditions": new});
                    let patch = status(&guard(), Some(&status_before), &status_after);
                    let result = applied(&status_before, &patch).expect("it is done");
                    let written = result["conditions"].as_array().unwrap();
                    let (ours, others): (Vec<_>, Vec<_>) =
                        written.iter().cloned().partition(|it| it["message"] == "new");
                    assert_eq!(others, foreign, "{status_before} {status_after}");
                    assert_eq!(ours.len(), new.len(), "{result}");
                    assert!(new.iter().all(|it| ours.contains(it)), "{result}");
                }
            }
        }
    }

    /// One that is appended meanwhile stays; where ours are not where they were, nothing is written.
    #[test]
    fn what_comes_between_the_read_and_the_write_is_not_lost() {
        let ours = |word| kind("Ready", word);
        let read = json!({"observedGeneration": 1, "conditions": [kind("A", ""), ours("old")]});
        let patch = status(&guard(), Some(&read), &json!({"observedGeneration": 2, "conditions": [ours("new")]}));
        let mut now = read.clone();
        now["conditions"].as_array_mut().unwrap().push(kind("B", ""));
        let written = applied(&now, &patch).unwrap();
        assert_eq!(written["conditions"], json!([kind("A", ""), ours("new"), kind("B", "")]));
        now["conditions"].as_array_mut().unwrap().reverse();
        now["conditions"].as_array_mut().unwrap().insert(0, kind("C", ""));
        assert_eq!(applied(&now, &patch).map(|it| it["conditions"].clone()), None, "{now}");
        // The first list of all.
        let fresh = json!({"observedGeneration": -1});
        let patch = status(&guard(), Some(&fresh), &json!({"observedGeneration": 1, "conditions": [ours("new")]}));
        assert_eq!(applied(&fresh, &patch).unwrap()["conditions"], json!([ours("new")]));
        assert_eq!(applied(&json!({"observedGeneration": -1, "conditions": [kind("A", "")]}), &patch), None);
    }

    /// The fields are those of the report and no others, also those that another version or another process has left.
    #[test]
    fn a_status_leaves_no_field_of_another_time() {
        let before =
            json!({"observedGeneration": 1, "identityId": "id_a", "later": {"a": 1}, "a/b": 1, "origin": "Adopted"});
        let after = json!({"observedGeneration": 2, "uid": "u", "identityId": "id_b"});
        let patch = status(&guard(), Some(&before), &after);
        let mut expected = after.clone();
        expected["conditions"] = json!([]);
        assert_eq!(applied(&before, &patch), Some(expected));
        let mut meanwhile = before.clone();
        meanwhile["credential"] = json!("another process has written it");
        assert_eq!(applied(&meanwhile, &patch), None);
    }
}
