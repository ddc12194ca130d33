//! `version`: this program, and what runs in the cluster.

use serde_json::json;

use super::super::harness::{World, succeeded};
use super::{ended, json as read, stderr, without_key};

fn pod(name: &str, image: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "unkey-operator", "app.kubernetes.io/instance": name}},
        "spec": {"automountServiceAccountToken": false, "containers": [{"name": "operator", "image": image, "args": ["run"]}]},
    })
    .to_string()
}

#[tokio::test]
async fn the_operators_in_the_cluster_are_told() {
    // Its own control plane: other tests ask which operators there are, and these Pods are none.
    let world = World::alone("version").await;
    succeeded(&world.run_kubectl(&["create", "serviceaccount", "default"], "").await);
    let here = env!("CARGO_PKG_VERSION");
    for (name, image) in [("same", format!("registry:5000/o:v{here}")), ("apart", "o:99.1.0@sha256:ab".to_owned())] {
        succeeded(&world.run_kubectl(&["create", "-f", "-"], &pod(name, &image)).await);
    }
    let output = ended(without_key(&world, &["version"])).await;
    let text = succeeded(&output);
    assert!(text.starts_with(&format!("unkey-operator {here}\n")), "{text}");
    assert!(text.contains(&format!("operator {here} in {}/same (", world.namespace)), "{text}");
    let said = stderr(&output);
    assert!(
        said.contains(&format!("the operator {}/apart is 99.1.0, and this program {here}", world.namespace)),
        "{said}"
    );
    assert!(!said.contains("/same is"), "{said}");
    let document = read(&ended(without_key(&world, &["version", "-o", "json"])).await);
    let told = |at: usize| {
        let it = &document["operators"][at];
        json!([it["pod"], it["version"], it["ready"], it["leads"]])
    };
    assert_eq!([told(0), told(1)], [json!(["apart", "99.1.0", false, true]), json!(["same", here, false, true])]);
    assert_eq!(document["operators"].as_array().map(Vec::len), Some(2));

    let alone = ended(without_key(&world, &["version", "--client"])).await;
    assert_eq!((succeeded(&alone), stderr(&alone)), (format!("unkey-operator {here}\n"), String::new()));
}

/// A cluster that is not there is no reason not to say what this program is.
#[tokio::test]
async fn a_cluster_that_does_not_answer_is_said() {
    let world = World::new("version-dead").await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cluster = json!({"server": format!("https://127.0.0.1:{port}")});
    let kubeconfig = super::super::kubeconfigs::write(&world, "dead", &cluster, None);
    let mut command = without_key(&world, &["version"]);
    command.env("KUBECONFIG", kubeconfig);
    let output = ended(command).await;
    assert_eq!(succeeded(&output), format!("unkey-operator {}\n", env!("CARGO_PKG_VERSION")));
    assert!(stderr(&output).contains("the operator's version is not known: "), "{}", stderr(&output));
}
