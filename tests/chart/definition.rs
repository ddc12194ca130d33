//! The definition of Identity in the chart is that of `crds/`, and the annotations that keep it.

use serde_json::{Value, json};

use super::harness::{NAMESPACE, helms, objects, read};

const KIND: &str = "CustomResourceDefinition";

fn rendered(flags: &[&str]) -> Vec<Value> {
    let all = objects(&helms()[0].template(NAMESPACE, flags));
    all.into_iter().filter(|object| object["kind"] == KIND).collect()
}

#[test]
fn it_is_that_of_crds_and_is_kept() {
    let text = read("crds/identities.unkey.com.yaml");
    assert!(
        read("charts/unkey-operator/files/identities.unkey.com.yaml") == text,
        "the chart's copy of crds/identities.unkey.com.yaml differs; run: make generate"
    );
    let original: Value = serde_yaml::from_str(&text).unwrap();

    let mut kept = rendered(&[]);
    assert_eq!(kept.len(), 1);
    let annotations = kept[0]["metadata"].as_object_mut().unwrap().remove("annotations").unwrap();
    let keep = json!({"helm.sh/resource-policy": "keep", "argocd.argoproj.io/sync-options": "Prune=false"});
    assert_eq!(annotations, keep);
    assert!(kept[0] == original, "{}", kept[0]);

    assert!(rendered(&["--set", "crds.keep=false"])[0] == original);
    assert!(rendered(&["--set", "crds.enabled=false"]).is_empty());
}

#[test]
fn the_chart_and_the_program_have_one_version() {
    let chart: Value = serde_yaml::from_str(&read("charts/unkey-operator/Chart.yaml")).unwrap();
    for field in ["version", "appVersion"] {
        assert_eq!(chart[field], env!("CARGO_PKG_VERSION"), "{field}");
    }
}
