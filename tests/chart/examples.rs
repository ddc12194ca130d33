//! What the examples of GitOps tools and of leaving say of the chart is true of it: the values are ones that it takes, and names and places are
//! its own.

use serde_json::Value;
use tempfile::TempDir;

use super::harness::{NAMESPACE, RELEASE, container, helms, objects, only, read};

/// The object of this kind and name in a file of `examples`.
fn example(file: &str, kind: &str, name: &str) -> Value {
    let found = objects(&read(&format!("examples/{file}")));
    let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    found.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {name} in {file}")).clone()
}

/// The Pod that lets go of everything.
fn pod() -> Value {
    example("unmanage/pod.yaml", "Pod", "unkey-operator-unmanage")
}

/// An image without its tag.
fn repository(container: &Value) -> String {
    container["image"].as_str().unwrap().rsplit_once(':').unwrap().0.to_owned()
}

#[test]
fn values_are_taken_and_the_image_is_somebodys() {
    let application = example("argocd/applications.yaml", "Application", RELEASE);
    let release = example("flux/operator.yaml", "HelmRelease", RELEASE);
    for values in [&application["spec"]["source"]["helm"]["valuesObject"], &release["spec"]["values"]] {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("values.yaml");
        std::fs::write(&file, values.to_string()).unwrap();
        for helm in helms() {
            let objects = objects(&helm.template(NAMESPACE, &["--values", file.to_str().unwrap()]));
            assert_eq!(repository(container(&objects)), repository(&pod()["spec"]["containers"][0]), "{values}");
        }
    }
}

/// One namespace, one account and one Secret, as the README's commands make them.
#[test]
fn places_and_names_are_the_charts() {
    let objects = objects(&helms()[0].template(NAMESPACE, &[]));
    let application = example("argocd/applications.yaml", "Application", RELEASE);
    assert_eq!(application["spec"]["destination"]["namespace"], NAMESPACE);
    for kind in ["OCIRepository", "HelmRelease"] {
        assert_eq!(example("flux/operator.yaml", kind, RELEASE)["metadata"]["namespace"], NAMESPACE, "{kind}");
    }
    let namespace = example("flux/operator.yaml", "Namespace", NAMESPACE);
    assert_eq!(namespace["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"], "disabled");
    assert_eq!(pod()["metadata"]["namespace"], NAMESPACE);
    assert_eq!(pod()["spec"]["serviceAccountName"], only(&objects, "ServiceAccount")["metadata"]["name"]);
    let volume = &only(&objects, "Deployment")["spec"]["template"]["spec"]["volumes"][0];
    let secret = volume["secret"]["secretName"].as_str().unwrap();
    for file in ["examples/argocd/applications.yaml", "examples/flux/operator.yaml"] {
        assert!(read(file).contains(&format!("Secret {secret}")), "{file}");
    }
}
