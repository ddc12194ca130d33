//! Compares the definition of `Identity` that a cluster serves with that of this program: what the served one does not know, the API server drops
//! from whatever is written. Pure: who asks the API server is the controller.

use serde_json::{Map, Value};

use super::{GROUP, KIND, VERSION, crd};

const PRESERVES: &str = "x-kubernetes-preserve-unknown-fields";
const KINDS: &str = "x-kubernetes-group-version-kind";

/// The fields of this version's `Identity`, such as `status.uid`, that the API server would drop. `document`: what it serves as `OpenAPI` v3 of our
/// group and version. `None`: there is no `Identity` in it (yet), so it says nothing.
pub fn dropped_by_served(document: &Value) -> Option<Vec<String>> {
    Some(difference(document)?.dropped)
}

/// How the definition that a cluster serves differs from that of this program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServedDifference {
    /// Fields that this program has and the API server drops: the served one is older.
    pub dropped: Vec<String>,
    /// Fields that the API server keeps and this program does not know: the served one is newer.
    pub unknown: Vec<String>,
}

/// The same in both directions.
pub fn difference(document: &Value) -> Option<ServedDifference> {
    let schemas = document.pointer("/components/schemas")?.as_object()?;
    let is_ours = |schema: &&Value| schema[KINDS].as_array().is_some_and(|kinds| kinds.iter().any(is_our_kind));
    let served = schemas.values().find(is_ours)?;
    let crd = serde_json::to_value(crd().ok()?).ok()?;
    let ours = crd.pointer("/spec/versions/0/schema/openAPIV3Schema")?;
    let mut difference = ServedDifference::default();
    for part in ["spec", "status"] {
        let (ours, served) = (&ours["properties"][part], &served["properties"][part]);
        compare(ours, served, part, &mut difference.dropped);
        compare(served, ours, part, &mut difference.unknown);
    }
    Some(difference)
}

fn is_our_kind(kind: &Value) -> bool {
    kind["group"] == GROUP && kind["version"] == VERSION && kind["kind"] == KIND
}

fn compare(ours: &Value, served: &Value, path: &str, dropped: &mut Vec<String>) {
    if served.is_null() {
        return dropped.push(path.to_owned());
    }
    let preserves = served[PRESERVES] == true;
    if ours[PRESERVES] == true && !preserves {
        dropped.push(format!("{path}.*"));
    }
    for (name, ours) in ours["properties"].as_object().into_iter().flatten() {
        let served = &served["properties"][name];
        if !(served.is_null() && preserves) {
            compare(ours, served, &format!("{path}.{name}"), dropped);
        }
    }
    if ours["items"].is_object() && !(served["items"].is_null() && preserves) {
        compare(&ours["items"], &served["items"], &format!("{path}[]"), dropped);
    }
}

/// The fields of `written` that `kept`, what the API server answers to the write, has not: it dropped them. `path` is where both stand.
pub fn dropped_from(written: &Value, kept: &Value, path: &str) -> Vec<String> {
    let mut dropped = Vec::new();
    fields_dropped(written, kept, path, &mut dropped);
    dropped
}

fn fields_dropped(written: &Value, kept: &Value, path: &str, dropped: &mut Vec<String>) {
    match (written, kept) {
        (Value::Null, _) => {}
        // A field of several items of a list is named once.
        (_, Value::Null) if dropped.iter().any(|known| known == path) => {}
        (_, Value::Null) => dropped.push(path.to_owned()),
        (Value::Object(written), Value::Object(kept)) => {
            let in_kept = |kept: &Map<String, Value>, name: &str| kept.get(name).cloned().unwrap_or_default();
            for (name, value) in written {
                fields_dropped(value, &in_kept(kept, name), &format!("{path}.{name}"), dropped);
            }
        }
        (Value::Array(written), Value::Array(kept)) => {
            for (written, kept) in written.iter().zip(kept) {
                fields_dropped(written, kept, &format!("{path}[]"), dropped);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Our own definition, as it is served.
    fn served() -> Value {
        let crd = serde_json::to_value(crd().unwrap()).unwrap();
        let mut schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
        schema[KINDS] = json!([{"group": GROUP, "version": VERSION, "kind": KIND}]);
        json!({"components": {"schemas": {"other": {}, "com.unkey.v1alpha1.Identity": schema}}})
    }

    fn without(pointer: &str, field: &str) -> Vec<String> {
        let mut document = served();
        let at = format!("/components/schemas/com.unkey.v1alpha1.Identity/properties{pointer}");
        document.pointer_mut(&at).unwrap().as_object_mut().unwrap().remove(field).expect("it is there");
        dropped_by_served(&document).unwrap()
    }

    #[test]
    fn our_own_drops_nothing_and_a_document_without_it_says_nothing() {
        assert_eq!(dropped_by_served(&served()), Some(Vec::new()));
        assert_eq!(dropped_by_served(&json!({"components": {"schemas": {}}})), None);
        assert_eq!(dropped_by_served(&json!("a page")), None);
    }

    #[test]
    fn what_the_served_one_does_not_know_is_named_wherever_it_stands() {
        assert_eq!(without("/status/properties", "uid"), ["status.uid"]);
        assert_eq!(without("/spec/properties", "deletionPolicy"), ["spec.deletionPolicy"]);
        let condition = "/status/properties/conditions/items/properties";
        assert_eq!(without(condition, "message"), ["status.conditions[].message"]);
        assert_eq!(
            without("/spec/properties/ratelimits/items/properties", "autoApply"),
            ["spec.ratelimits[].autoApply"]
        );
        assert_eq!(without("/spec/properties/meta", PRESERVES), ["spec.meta.*"]);
        let mut document = served();
        let schema = &mut document["components"]["schemas"]["com.unkey.v1alpha1.Identity"]["properties"];
        schema.as_object_mut().unwrap().remove("status");
        assert_eq!(dropped_by_served(&document), Some(vec!["status".to_owned()]));
    }

    #[test]
    fn what_only_the_served_one_knows_is_named_too() {
        assert_eq!(difference(&served()), Some(ServedDifference::default()));
        let mut document = served();
        let spec = &mut document["components"]["schemas"]["com.unkey.v1alpha1.Identity"]["properties"]["spec"];
        spec["properties"]["keyPolicy"] = json!({"type": "string"});
        let newer = ServedDifference { dropped: Vec::new(), unknown: vec!["spec.keyPolicy".to_owned()] };
        assert_eq!(difference(&document), Some(newer));
    }

    #[test]
    fn who_keeps_what_it_does_not_know_drops_nothing() {
        let mut document = served();
        let status = json!({"type": "object", PRESERVES: true});
        document["components"]["schemas"]["com.unkey.v1alpha1.Identity"]["properties"]["status"] = status;
        assert_eq!(dropped_by_served(&document), Some(Vec::new()));
    }

    #[test]
    fn what_an_answer_has_not_was_dropped() {
        let written =
            json!({"uid": "u", "conditions": [{"type": "Ready", "message": "m"}, {"type": "Stalled", "message": "n"}]});
        let kept = json!({"conditions": [{"type": "Ready"}, {"type": "Stalled"}], "more": 1});
        assert_eq!(dropped_from(&written, &kept, "status"), ["status.conditions[].message", "status.uid"]);
        assert_eq!(dropped_from(&written, &written, "status"), [""; 0]);
        assert_eq!(dropped_from(&written, &Value::Null, "status"), ["status"]);
    }
}
