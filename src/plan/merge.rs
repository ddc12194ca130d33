//! What an object would be once a manifest is applied: what the manifest says, and what it no longer says removed. Pure.
//!
//! What is removed depends on who applies. A server-side apply removes the fields that its manager owned alone. A client-side apply removes what the
//! annotation of the last one has and the manifest lacks. Which of the two it is, the manager of `spec.externalId` tells.

use serde_json::{Map, Value};

/// Written by a client-side apply; it holds the manifest that was applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The parts of an object that an apply changes.
const PARTS: [&[&str]; 3] = [&["spec"], &["metadata", "labels"], &["metadata", "annotations"]];
/// What tells the items of a list from each other, by the schema.
const LIST_KEY: &str = "name";

/// `live` once `manifest` is applied by whoever applied it before.
pub fn merged(live: &Value, manifest: &Value) -> Value {
    let managers = Managers::of(live);
    let mut after = live.clone();
    let before = last_applied(live);
    for part in PARTS {
        let (wanted, path) = (at(manifest, part), part);
        let merged = match managers.applier() {
            Some(applier) => {
                let owned = at(&applier, &fields_path(path)).cloned().unwrap_or_default();
                let others = managers.others(&fields_path(path));
                served(at(live, path), wanted, &owned, &others, path == ["spec"])
            }
            // A map that a manifest leaves out is one without entries: kubectl writes it so, and others have entries in it.
            None if path != ["spec"] => {
                let empty = Value::Object(Map::new());
                let before = before.as_ref().and_then(|before| at(before, path));
                three_way(at(live, path), Some(wanted.unwrap_or(&empty)), before)
            }
            None => three_way(at(live, path), wanted, before.as_ref().and_then(|before| at(before, path))),
        };
        put(&mut after, path, merged);
    }
    after
}

/// The manager that applied `live` by the server; `None`: it is applied by the client, or was never applied.
pub fn applier(live: &Value) -> Option<String> {
    let managers = Managers::of(live);
    let owner = managers.owner().filter(|entry| entry["operation"] == "Apply")?;
    owner["manager"].as_str().map(str::to_owned)
}

fn fields_path(path: &[&str]) -> Vec<String> {
    path.iter().map(|name| format!("f:{name}")).collect()
}

fn last_applied(live: &Value) -> Option<Value> {
    serde_json::from_str(live["metadata"]["annotations"].get(LAST_APPLIED)?.as_str()?).ok()
}

fn at<'a, P: AsRef<str>>(value: &'a Value, path: &[P]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name.as_ref()))
}

fn put(value: &mut Value, path: &[&str], part: Option<Value>) {
    let [parents @ .., last] = path else { return };
    let mut into = value;
    for name in parents {
        into = &mut into[*name];
    }
    match (part, into) {
        (Some(part), into) => into[*last] = part,
        (None, Value::Object(map)) => drop(map.remove(*last)),
        (None, _) => {}
    }
}

/// Who owns what, by `metadata.managedFields`.
struct Managers<'a>(Vec<&'a Value>);

impl<'a> Managers<'a> {
    fn of(live: &'a Value) -> Self {
        let entries = live["metadata"]["managedFields"].as_array();
        let is_main = |entry: &&Value| entry["subresource"].as_str().is_none_or(str::is_empty);
        Self(entries.into_iter().flatten().filter(is_main).collect())
    }

    fn owner(&self) -> Option<&'a Value> {
        self.0.iter().copied().find(|entry| entry["fieldsV1"]["f:spec"].get("f:externalId").is_some())
    }

    /// The fields of the manager that owns `spec.externalId`, if it applies by the server.
    fn applier(&self) -> Option<Value> {
        self.owner().filter(|entry| entry["operation"] == "Apply").map(|entry| entry["fieldsV1"].clone())
    }

    /// What the other managers own there.
    fn others(&self, path: &[String]) -> Vec<&'a Value> {
        let owner = self.owner();
        let others = self.0.iter().copied().filter(|entry| owner.is_none_or(|owner| !std::ptr::eq(*entry, owner)));
        others.filter_map(|entry| at(&entry["fieldsV1"], path)).collect()
    }
}

/// By the server: what the manager owns alone and no longer applies goes.
fn served(
    live: Option<&Value>,
    wanted: Option<&Value>,
    owned: &Value,
    others: &[&Value],
    is_spec: bool,
) -> Option<Value> {
    let mut after = live.and_then(Value::as_object).cloned().unwrap_or_default();
    let nothing = Map::new();
    let wanted = wanted.and_then(Value::as_object).unwrap_or(&nothing);
    for field in owned.as_object().into_iter().flat_map(Map::keys) {
        let Some(name) = field.strip_prefix("f:").filter(|name| !wanted.contains_key(*name)) else { continue };
        let others: Vec<&Value> = others.iter().filter_map(|it| it.get(field)).collect();
        match after.get(name) {
            _ if others.is_empty() => drop(after.remove(name)),
            Some(Value::Array(_)) if is_spec => {
                let left = items_served(after.get(name), &[], owned.get(field), &others);
                after.insert(name.to_owned(), left);
            }
            _ => {}
        }
    }
    for (name, value) in wanted {
        let field = format!("f:{name}");
        let list = is_spec.then(|| value.as_array()).flatten();
        let value = match list {
            Some(items) => {
                let others: Vec<&Value> = others.iter().filter_map(|it| it.get(&field)).collect();
                items_served(after.get(name), items, owned.get(&field), &others)
            }
            None => value.clone(),
        };
        after.insert(name.clone(), value);
    }
    (live.is_some() || !after.is_empty()).then_some(Value::Object(after))
}

/// The same of a list whose items are told apart by their name: items of others stay, and so do the fields that others own of an item.
fn items_served(live: Option<&Value>, wanted: &[Value], owned: Option<&Value>, others: &[&Value]) -> Value {
    let name_of = |item: &Value| item.get(LIST_KEY).and_then(Value::as_str).map(str::to_owned);
    let mut items: Vec<Value> = Vec::new();
    for item in live.and_then(Value::as_array).into_iter().flatten() {
        let name = name_of(item).unwrap_or_default();
        let is_wanted = wanted.iter().any(|it| name_of(it).as_ref() == Some(&name));
        let ours = owned.and_then(|owned| of_item(owned, &name));
        let theirs: Vec<&Value> = others.iter().filter_map(|it| of_item(it, &name)).collect();
        match ours {
            // Another manager owns the item itself, and not only a field of it.
            Some(ours) if !is_wanted && theirs.iter().any(|it| it.get(".").is_some()) => {
                // What only we owned of it goes.
                let nothing = Value::Object(Map::new());
                items.push(served(Some(item), Some(&nothing), ours, &theirs, false).unwrap_or_default());
            }
            Some(_) if !is_wanted => {}
            _ => items.push(item.clone()),
        }
    }
    for item in wanted {
        let Some(name) = name_of(item) else {
            items.push(item.clone());
            continue;
        };
        let others: Vec<&Value> = others.iter().filter_map(|it| of_item(it, &name)).collect();
        let before = items.iter_mut().find(|it| name_of(it).as_ref() == Some(&name));
        let owned = owned.and_then(|owned| of_item(owned, &name)).cloned().unwrap_or_default();
        match before {
            Some(before) => *before = served(Some(before), Some(item), &owned, &others, false).unwrap_or_default(),
            None => items.push(item.clone()),
        }
    }
    Value::Array(items)
}

/// What is owned of the item of that name. The API server writes its key in a JSON of its own.
fn of_item<'a>(owned: &'a Value, name: &str) -> Option<&'a Value> {
    let is_it = |key: &str| {
        let key: Option<Value> = key.strip_prefix("k:").and_then(|key| serde_json::from_str(key).ok());
        key.is_some_and(|key| key[LIST_KEY] == name)
    };
    owned.as_object()?.iter().find(|(key, _)| is_it(key)).map(|(_, owned)| owned)
}

/// By the client: a merge of three, in which a list is one value (kubectl knows no more of a custom resource).
fn three_way(live: Option<&Value>, wanted: Option<&Value>, before: Option<&Value>) -> Option<Value> {
    let (Some(wanted), live) = (wanted, live) else {
        // What was applied before goes as a whole.
        return live.filter(|_| before.is_none()).cloned();
    };
    let (Some(wanted), Some(live)) = (wanted.as_object(), live.and_then(Value::as_object)) else {
        return Some(without_nulls(wanted.clone()));
    };
    let mut after = live.clone();
    for name in before.and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        if !wanted.contains_key(name) {
            after.remove(name);
        }
    }
    for (name, value) in wanted {
        let before = before.and_then(|before| before.get(name));
        match three_way(live.get(name), Some(value), before) {
            // In a merge patch, null says that a field goes.
            None | Some(Value::Null) => drop(after.remove(name)),
            Some(value) => drop(after.insert(name.clone(), value)),
        }
    }
    Some(Value::Object(after))
}

/// In a merge patch, null says that a field goes, also below one that is new.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn limits(names: &[&str]) -> Value {
        names.iter().map(|name| json!({"name": name, "limit": 1, "duration": 1000})).collect()
    }

    fn manifest(names: &[&str]) -> Value {
        json!({"metadata": {"name": "a"}, "spec": {"externalId": "a", "ratelimits": limits(names)}})
    }

    fn names(object: &Value) -> Vec<&str> {
        object["spec"]["ratelimits"].as_array().into_iter().flatten().filter_map(|it| it["name"].as_str()).collect()
    }

    fn owned(names: &[&str]) -> Value {
        let items = names.iter().map(|name| {
            (format!("k:{{\"name\":\"{name}\"}}"), json!({".": {}, "f:name": {}, "f:limit": {}, "f:duration": {}}))
        });
        Value::Object(items.collect())
    }

    /// `manager` owns these limits, and has applied them in this way.
    fn live(operation: &str, names: &[&str]) -> Value {
        let mut live = manifest(names);
        live["metadata"]["managedFields"] = json!([{"manager": "x", "operation": operation, "fieldsV1": {
            "f:spec": {"f:externalId": {}, "f:ratelimits": owned(names)}}}]);
        live
    }

    #[test]
    fn a_limit_that_left_the_manifest_goes_by_the_server() {
        for manager in ["kubectl", "argocd-controller", "kustomize-controller"] {
            let mut live = live("Apply", &["aaa", "bbb"]);
            live["metadata"]["managedFields"][0]["manager"] = json!(manager);
            assert_eq!(names(&merged(&live, &manifest(&["bbb"]))), ["bbb"], "{manager}");
        }
    }

    #[test]
    fn a_limit_that_left_the_manifest_goes_by_the_client() {
        let mut live = live("Update", &["aaa", "bbb"]);
        live["metadata"]["annotations"] = json!({LAST_APPLIED: manifest(&["aaa", "bbb"]).to_string()});
        assert_eq!(names(&merged(&live, &manifest(&["bbb"]))), ["bbb"]);
    }

    #[test]
    fn what_others_own_stays() {
        let mut live = live("Apply", &["aaa"]);
        live["spec"]["ratelimits"].as_array_mut().unwrap().extend(limits(&["theirs"]).as_array().unwrap().clone());
        live["spec"]["suspend"] = json!(true);
        let other = json!({"manager": "y", "operation": "Apply", "fieldsV1": {"f:spec": {"f:suspend": {}, "f:ratelimits": owned(&["theirs"])}}});
        live["metadata"]["managedFields"].as_array_mut().unwrap().push(other);
        let after = merged(&live, &json!({"spec": {"externalId": "a"}}));
        assert_eq!((names(&after), &after["spec"]["suspend"]), (vec!["theirs"], &json!(true)));
        let after = merged(&live, &manifest(&["new"]));
        assert_eq!(names(&after), ["theirs", "new"]);
    }

    #[test]
    fn a_field_that_left_the_manifest_goes_and_what_was_never_in_it_stays() {
        let mut live =
            json!({"metadata": {}, "spec": {"externalId": "a", "meta": {"a": 1, "theirs": 2}, "suspend": true}});
        let before = json!({"spec": {"externalId": "a", "meta": {"a": 1, "gone": 1}, "deletionPolicy": "Orphan"}});
        live["spec"]["deletionPolicy"] = json!("Orphan");
        live["metadata"]["annotations"] = json!({LAST_APPLIED: before.to_string()});
        let after = merged(&live, &json!({"spec": {"externalId": "a", "meta": {"b": null, "c": [1]}}}));
        assert_eq!(after["spec"], json!({"externalId": "a", "meta": {"theirs": 2, "c": [1]}, "suspend": true}));
    }

    /// kubectl writes an empty map of annotations into what was applied last.
    #[test]
    fn the_claim_stays_under_a_client_side_apply_without_annotations() {
        let mut live = live("Update", &[]);
        let mut before = manifest(&[]);
        before["metadata"]["annotations"] = json!({});
        live["metadata"]["annotations"] = json!({"unkey.com/claim": "u:v1:ab:", LAST_APPLIED: before.to_string()});
        let after = merged(&live, &manifest(&["new"]));
        assert_eq!(after["metadata"]["annotations"]["unkey.com/claim"], "u:v1:ab:");
        let after = merged(&live, &json!({"spec": {"externalId": "a", "meta": {"a": {"b": null, "c": 1}}}}));
        assert_eq!(after["spec"]["meta"], json!({"a": {"c": 1}}), "null is a deletion in a merge patch");
    }

    #[test]
    fn names_of_items_are_compared_as_text_not_as_json() {
        let mut live = live("Apply", &[]);
        live["spec"]["ratelimits"] = limits(&["a&b", "shared"]);
        let ours = json!({"k:{\"name\":\"a\\u0026b\"}": {"f:name": {}}, "k:{\"name\":\"shared\"}": {"f:name": {}, "f:limit": {}}});
        live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:ratelimits"] = ours;
        let theirs = json!({"k:{\"name\":\"shared\"}": {".": {}, "f:name": {}, "f:duration": {}}});
        let other = json!({"manager": "y", "operation": "Apply", "fieldsV1": {"f:spec": {"f:ratelimits": theirs}}});
        live["metadata"]["managedFields"].as_array_mut().unwrap().push(other);
        let after = merged(&live, &json!({"spec": {"externalId": "a"}}));
        assert_eq!(after["spec"]["ratelimits"], json!([{"name": "shared", "duration": 1000}]));
        // A patch of another manager to one field of an item does not keep the item.
        let theirs = json!({"k:{\"name\":\"shared\"}": {"f:limit": {}}});
        live["metadata"]["managedFields"][1]["fieldsV1"]["f:spec"]["f:ratelimits"] = theirs;
        assert_eq!(names(&merged(&live, &json!({"spec": {"externalId": "a"}}))), Vec::<&str>::new());
    }

    #[test]
    fn labels_and_annotations_are_applied_too() {
        let live = live("Apply", &[]);
        let mut wanted = manifest(&[]);
        wanted["metadata"]["labels"] = json!({"team": "a"});
        assert_eq!(merged(&live, &wanted)["metadata"]["labels"], json!({"team": "a"}));
    }
}
