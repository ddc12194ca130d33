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
    let text = helms()[0].succeeds(None, &["template", &release, &chart(), "--kube-version", "1.37.0"]);
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

/// Who may do what with `Identities` by the roles that every cluster has. An `Identity` may name any externalId of the workspace, so whoever may
/// make one in any namespace may change every identity.
#[test]
fn people_may_change_identities_only_if_that_is_said() {
    let by_label = |set: &str, label: &str| -> Vec<String> {
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{label}");
        let objects = template(&["--set", set]);
        let for_them = objects.iter().filter(|object| object["metadata"]["labels"][&label] == "true");
        let rules = for_them.flat_map(|role| role["rules"].as_array().unwrap());
        rules.flat_map(|rule| serde_json::from_value::<Vec<String>>(rule["verbs"].clone()).unwrap()).collect()
    };
    let read: &[&str] = &["get", "list", "watch"];
    let write: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];
    let both = [read, write].concat();
    let rows: [(&str, &[&str], &[&str]); 6] = [
        ("replicaCount=2", read, read),
        ("rbac.aggregate.edit=true", read, &both),
        ("rbac.aggregate.view=false", &[], &[]),
        ("rbac.aggregate.view=false,rbac.aggregate.edit=true", &[], write),
        ("rbac.create=false,rbac.aggregate.edit=true", &[], &[]),
        ("watchNamespaces={a},rbac.aggregate.edit=true", &[], &[]),
    ];
    for (set, view, edit) in rows {
        assert_eq!(by_label(set, "view"), view, "{set}");
        assert_eq!(by_label(set, "edit"), edit, "{set}");
        assert_eq!(by_label(set, "admin"), edit, "{set}");
    }
}

/// The roles for `plan` are those of the example, bound by nobody.
#[test]
fn people_may_plan_if_that_is_said() {
    let rules = |objects: &[Value]| -> Vec<String> {
        let roles = objects.iter().filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("Role")));
        let plan = roles.filter(|role| role["metadata"]["name"].as_str().unwrap().ends_with("-plan"));
        plan.flat_map(|role| role["rules"].as_array().unwrap()).map(ToString::to_string).collect()
    };
    let example: Vec<Value> = serde_yaml::Deserializer::from_str(include_str!("../../examples/plan/rbac.yaml"))
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect();
    let wanted = rules(&example);
    assert_eq!(wanted.len(), 3);
    assert_eq!(rules(&template(&["--set", "rbac.plan=true"])), wanted);
    for set in ["rbac.plan=false", "rbac.plan=true,rbac.create=false", "rbac.plan=true,watchNamespaces={a}"] {
        assert_eq!(rules(&template(&["--set", set])), Vec::<String>::new(), "{set}");
    }
    let bound = template(&["--set", "rbac.plan=true"]);
    let binds = |object: &&Value| object["roleRef"]["name"].as_str().is_some_and(|name| name.ends_with("-plan"));
    assert_eq!(bound.iter().find(binds), None);
}

#[test]
fn without_rbac_there_are_no_roles() {
    for set in ["rbac.create=false", "rbac.create=false,watchNamespaces={a}"] {
        let objects = template(&["--set", set]);
        let is_of_rbac = |object: &Value| object["apiVersion"] == "rbac.authorization.k8s.io/v1";
        assert!(!objects.iter().any(is_of_rbac), "{set}");
    }
}

#[test]
fn the_budget_says_one_thing() {
    let rows = [
        ("replicaCount=2", json!({"maxUnavailable": 1})),
        ("podDisruptionBudget.minAvailable=null", json!({"maxUnavailable": 1})),
        ("podDisruptionBudget.minAvailable=50%", json!({"minAvailable": "50%"})),
        ("podDisruptionBudget.minAvailable=0", json!({"minAvailable": 0})),
        ("podDisruptionBudget.minAvailable=1,podDisruptionBudget.maxUnavailable=null", json!({"minAvailable": 1})),
    ];
    for (set, expected) in rows {
        let mut spec = only(&template(&["--set", set]), "PodDisruptionBudget")["spec"].as_object().unwrap().clone();
        spec.retain(|key, _| key.ends_with("vailable"));
        assert_eq!(Value::Object(spec), expected, "{set}");
    }
}

/// A Service's may not, unless the cluster relaxes that.
#[test]
fn no_name_begins_with_a_digit() {
    for helm in helms() {
        let output = helm.run(None, &["template", "1st", &chart(), "--kube-version", "1.37.0"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains("the name 1st-unkey-operator-metrics of the Service"),
            "{said}"
        );
        let flags = ["--kube-version", "1.37.0", "--set", "fullnameOverride=first"];
        helm.succeeds(None, &[&["template", "1st", &chart()], &flags[..]].concat());
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
            &["WARNING: the root key is part of this release's values"],
            &["unkey_root_CANARY", "was not found"],
        ),
        (
            "rootKey.existingSecret=mine,rootKey.key=token",
            &[
                "WARNING: the Secret home/mine was not found (--dry-run=client looks for nothing)",
                "create secret generic mine --from-file=token=root-key",
            ],
            &[],
        ),
        ("replicaCount=2", &["WARNING: no image is published as unkey-operator:"], &[]),
        ("image.registry=r.example.com", &[], &["no image is published"]),
        ("image.repository=r.example.com/unkey-operator", &[], &["no image is published"]),
        (
            "crds.keep=false",
            &["WARNING: uninstalling this release deletes the CustomResourceDefinition of Identity"],
            &[],
        ),
        (
            "crds.enabled=false",
            &["WARNING: the CustomResourceDefinition of Identity is not part of this release"],
            &["uninstalling"],
        ),
        (
            "rbac.create=false,rbac.aggregate.edit=true",
            &["NOTE: no roles were created (rbac.create). The ServiceAccount x-unkey-operator"],
            &["rbac.aggregate"],
        ),
        ("rbac.aggregate.edit=true", &["change and delete every identity of the workspace", "examples/admission"], &[]),
        (
            "networkPolicy.enabled=true",
            &["WARNING: the NetworkPolicy lets the Pods reach the ports 443, 6443 of any address"],
            &[],
        ),
        ("networkPolicy.enabled=true,networkPolicy.apiServer.to[0].ipBlock.cidr=10.0.0.1/32", &[], &["NetworkPolicy"]),
        (
            "config.defaultDeletionPolicy=Orphan",
            &["keeps the identity in Unkey, unless its deletionPolicy is Delete"],
            &["unless its deletionPolicy is Orphan"],
        ),
        (
            "observe=true",
            &["NOTE: the operator only observes (observe).", "docs/guides/adopt-existing.md"],
            &["config.defaultManagementPolicy"],
        ),
        (
            "config.defaultManagementPolicy=Observe",
            &["NOTE: the operator only observes each Identity whose managementPolicy is not Enforce"],
            &["(observe)"],
        ),
        (
            "config.selector=team=a",
            &["watches all namespaces, and there the Identities that match the selector team=a."],
            &[],
        ),
        (
            "watchNamespaces={team-a,team-b}",
            &["watches the namespaces team-a, team-b.", "kubectl apply --namespace team-a -f"],
            &["all namespaces", "NOTE", "selector", "labels"],
        ),
        (
            "replicaCount=2",
            &[
                "watches all namespaces.",
                "rollout status deployment/x-unkey-operator",
                "deletes the identity in Unkey and permanently unlinks its keys, unless its deletionPolicy is Orphan",
            ],
            &["NetworkPolicy", "rbac", "selector", "labels", "observes"],
        ),
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

/// What the notes would have applied.
fn manifest_in_notes(set: &str) -> Value {
    let said = notes(set);
    let manifest = said.split("<<EOF\n").nth(1).and_then(|rest| rest.split("   EOF\n").next()).expect("a manifest");
    serde_yaml::from_str(manifest).unwrap()
}

/// A selector that says which labels those are has them in the manifest, or nobody would look at it.
#[test]
fn the_notes_show_a_manifest_that_is_looked_at() {
    let rows = [
        ("replicaCount=2", Value::Null),
        ("config.selector=team=a", json!({"team": "a"})),
        (r"config.selector=example.com/team==a\,n=1\,none=", json!({"example.com/team": "a", "n": "1", "none": ""})),
        (r"config.selector=team in (a\,b)", json!({})),
        (r"config.selector=team=a\,stage!=prod", json!({})),
        ("config.selector=team", json!({})),
    ];
    for (set, labels) in rows {
        assert_eq!(manifest_in_notes(set)["metadata"]["labels"], labels, "{set}");
    }
}

/// It is that of the chart's own description too.
#[test]
fn the_notes_show_a_manifest_that_is_one() {
    let manifest = manifest_in_notes("replicaCount=2");
    let spec = serde_json::from_value::<unkey_operator::api::IdentitySpec>(manifest["spec"].clone());
    assert_eq!(spec.unwrap().external_id, "acme");
    let chart: Value = serde_yaml::from_str(&read("charts/unkey-operator/Chart.yaml")).unwrap();
    let examples: Value =
        serde_yaml::from_str(chart["annotations"]["artifacthub.io/crdsExamples"].as_str().unwrap()).unwrap();
    assert_eq!(examples[0], manifest);
}
