//! Who owns a field of an object, by its managedFields. It asks nobody.

use std::collections::BTreeSet;

use serde_json::Value;

/// The field managers that own the field at `path`, in order and each once.
pub fn owners(object: &Value, path: &[&str]) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array();
    let is_main = |entry: &&Value| entry["subresource"].as_str().is_none_or(str::is_empty);
    let owns = |entry: &&Value| {
        path.iter().try_fold(&entry["fieldsV1"], |fields, name| fields.get(format!("f:{name}"))).is_some()
    };
    let all = entries.into_iter().flatten().filter(is_main).filter(owns);
    let names: BTreeSet<&str> = all.filter_map(|entry| entry["manager"].as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn owners_are_those_of_the_field_itself() {
        let entry = |manager: &str, fields: Value| json!({"manager": manager, "fieldsV1": fields});
        let object = json!({"metadata": {"managedFields": [
            entry("flux", json!({"f:spec": {"f:suspend": {}, "f:externalId": {}}})),
            entry("argocd", json!({"f:spec": {"f:externalId": {}}})),
            entry("kubectl-edit", json!({"f:spec": {"f:suspend": {}}})),
            {"manager": "operator", "subresource": "status", "fieldsV1": {"f:spec": {"f:suspend": {}}}},
        ]}});
        assert_eq!(owners(&object, &["spec", "suspend"]), ["flux", "kubectl-edit"]);
        assert_eq!(owners(&object, &["spec", "meta"]), [""; 0]);
        assert_eq!(owners(&json!({}), &["spec"]), [""; 0]);
    }
}
