//! What must hold of a render whatever the golden files say: those are written anew with one command.

use serde_json::{Value, json};

use super::harness::{NAMESPACE, chart, container, helms, objects, only, read, value_sets};

fn template(flags: &[&str]) -> Vec<Value> {
    objects(&helms()[0].template(NAMESPACE, flags))
}

/// A flag of `--set`, where in the Deployment to look, and what must be there.
#[test]
fn a_value_goes_where_it_belongs() {
    const CONTAINER: &str = "/spec/template/spec/containers/0";
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let by_digest = format!("image.tag=old,image.digest={digest}");
    let ours = concat!("r:5000/a/unkey-operator:", env!("CARGO_PKG_VERSION"));
    let rows = [
        ("replicaCount=2", "/spec/strategy/rollingUpdate".to_owned(), json!({"maxUnavailable": 0, "maxSurge": 1})),
        ("leaderElection.enabled=false,replicaCount=1", "/spec/strategy".to_owned(), json!({"type": "Recreate"})),
        ("image.tag=v9", format!("{CONTAINER}/image"), json!("unkey-operator:v9")),
        (&by_digest, format!("{CONTAINER}/image"), json!(format!("unkey-operator@{digest}"))),
        ("image.registry=r:5000/a", format!("{CONTAINER}/image"), json!(ours)),
        ("config.adminPort=9000", format!("{CONTAINER}/ports/0/containerPort"), json!(9000)),
        (
            "config.adminPort=9000",
            format!("{CONTAINER}/livenessProbe/httpGet"),
            json!({"path": "/livez", "port": "admin"}),
        ),
        (
            "config.adminPort=1",
            format!("{CONTAINER}/readinessProbe/httpGet"),
            json!({"path": "/readyz", "port": "admin"}),
        ),
        (
            "rootKey.key=k",
            "/spec/template/spec/volumes/0/secret/items/0".to_owned(),
            json!({"key": "k", "path": "root-key"}),
        ),
        ("rootKey.existingSecret=s", "/spec/template/spec/volumes/0/secret/secretName".to_owned(), json!("s")),
        (
            "rootKey.value=v",
            "/spec/template/spec/volumes/0/secret/secretName".to_owned(),
            json!("unkey-operator-root-key"),
        ),
        ("serviceAccount.create=false", "/spec/template/spec/serviceAccountName".to_owned(), json!("default")),
        ("replicaCount=2", "/spec/template/spec/automountServiceAccountToken".to_owned(), json!(true)),
    ];
    for (set, path, expected) in rows {
        let objects = template(&["--set", set]);
        assert_eq!(only(&objects, "Deployment").pointer(&path), Some(&expected), "{set}: {path}");
    }
}

/// Where it has been said what their address is, every alert links to its section of the runbook there.
#[test]
fn alerts_link_to_the_runbook() {
    let set =
        "metrics.prometheusRule.enabled=true,metrics.prometheusRule.runbookUrl=https://runbooks.example.com/unkey";
    let objects = template(&["--set", set]);
    let rules = only(&objects, "PrometheusRule")["spec"]["groups"][0]["rules"].as_array().unwrap().clone();
    assert!(rules.len() > 10);
    for rule in rules {
        let section = rule["alert"].as_str().unwrap().to_lowercase();
        assert_eq!(rule["annotations"]["runbook_url"], format!("https://runbooks.example.com/unkey#{section}"));
    }
}

/// The longest names that a release and a fullname may have still make names that Kubernetes takes for labels.
#[test]
fn names_stay_short_enough() {
    let release = "r".repeat(53);
    let text = helms()[0].succeeds(None, &["template", &release, &chart(), "--kube-version", "1.36.0"]);
    for object in objects(&text) {
        let name = object["metadata"]["name"].as_str().unwrap();
        assert!(name.len() <= 63, "{} {name}", object["kind"]);
    }
}

/// What finds the Pods finds them, whatever labels a user gives.
#[test]
fn selectors_select() {
    let taken = ["commonLabels", "podLabels", "deploymentLabels"].map(|labels| {
        format!(
            r"{labels}.app\.kubernetes\.io/name=other,{labels}.app\.kubernetes\.io/instance=other,{labels}.mine=yes"
        )
    });
    let set = format!("{},networkPolicy.enabled=true", taken.join(","));
    let objects = template(&["--set", &set]);
    let pods = &only(&objects, "Deployment")["spec"]["template"]["metadata"]["labels"];
    assert_eq!(pods["mine"], "yes");
    let selectors = [
        only(&objects, "Deployment").pointer("/spec/selector/matchLabels"),
        only(&objects, "PodDisruptionBudget").pointer("/spec/selector/matchLabels"),
        only(&objects, "NetworkPolicy").pointer("/spec/podSelector/matchLabels"),
        only(&objects, "Service").pointer("/spec/selector"),
    ];
    for selector in selectors {
        let selector = selector.and_then(Value::as_object).unwrap();
        assert_eq!(selector.len(), 2, "{selector:?}");
        assert!(selector.iter().all(|(key, value)| pods[key] == *value), "{selector:?} does not select {pods}");
    }
}

/// In every set of values.
#[test]
fn no_render_grants_more_than_it_should() {
    for set in value_sets() {
        let objects = objects(&helms()[0].render(&set, NAMESPACE));
        for account in objects.iter().filter(|object| object["kind"] == "ServiceAccount") {
            assert_eq!(account["automountServiceAccountToken"], false, "{set}: {account}");
        }
        let rules = objects.iter().filter_map(|object| object["rules"].as_array()).flatten();
        for rule in rules {
            let text = rule.to_string();
            assert!(!text.contains('*') && !text.contains("secrets"), "{set}: {text}");
        }
        // The drain of ten seconds ends before the kubelet's patience.
        let pod = &only(&objects, "Deployment")["spec"]["template"]["spec"];
        assert!(pod["terminationGracePeriodSeconds"].as_u64() > Some(10), "{set}");
        assert_eq!(container(&objects)["securityContext"]["readOnlyRootFilesystem"], true, "{set}");
        assert_eq!(container(&objects)["resources"]["limits"].get("cpu"), None, "{set}");
    }
}

/// What helm prints after an install, of a chart with these values.
fn notes(set: &str) -> String {
    let args = ["install", "x", &chart(), "--namespace", "home", "--dry-run=client", "--set", set];
    let text = helms()[0].succeeds(None, &args);
    text.split_once("\nNOTES:\n").expect("notes").1.to_owned()
}

#[test]
fn the_notes_say_what_is_dangerous_and_what_comes_next() {
    let rows: &[(&str, &[&str], &[&str])] = &[
        (
            "rootKey.value=unkey_root_CANARY",
            &["WARNING: the root key is among this release's values"],
            &["unkey_root_CANARY", "was not found"],
        ),
        (
            "rootKey.existingSecret=mine,rootKey.key=token",
            &["WARNING: the Secret home/mine was not found", "create secret generic mine --from-file=token=root-key"],
            &[],
        ),
        ("crds.keep=false", &["WARNING: uninstalling this release deletes the definition of Identity"], &[]),
        ("crds.enabled=false", &["WARNING: the definition of Identity is not part of this release"], &["uninstalling"]),
        ("rbac.create=false", &["NOTE: no roles were made (rbac.create). The ServiceAccount x-unkey-operator"], &[]),
        (
            "watchNamespaces={team-a,team-b}",
            &["watches the namespaces team-a, team-b.", "kubectl apply --namespace team-a -f"],
            &["all namespaces", "NOTE"],
        ),
        ("replicaCount=2", &["watches all namespaces", "rollout status deployment/x-unkey-operator", "Orphan"], &[]),
    ];
    for (set, there, not_there) in rows {
        let said = notes(set);
        for words in *there {
            assert!(said.contains(words), "{set}: '{words}' is not in: {said}");
        }
        for words in *not_there {
            assert!(!said.contains(words), "{set}: '{words}' is in: {said}");
        }
    }
}

/// It is that of the chart's own description too.
#[test]
fn the_notes_show_a_manifest_that_is_one() {
    let said = notes("replicaCount=2");
    let manifest = said.split("<<EOF\n").nth(1).and_then(|rest| rest.split("   EOF\n").next()).expect("a manifest");
    let manifest: Value = serde_yaml::from_str(manifest).unwrap();
    let spec = serde_json::from_value::<unkey_operator::api::IdentitySpec>(manifest["spec"].clone());
    assert_eq!(spec.unwrap().external_id, "acme");
    let chart: Value = serde_yaml::from_str(&read("charts/unkey-operator/Chart.yaml")).unwrap();
    let examples: Value =
        serde_yaml::from_str(chart["annotations"]["artifacthub.io/crdsExamples"].as_str().unwrap()).unwrap();
    assert_eq!(examples[0], manifest);
}
