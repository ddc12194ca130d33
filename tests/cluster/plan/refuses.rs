//! What `plan` cannot do: it says why in a sentence, with the exit code that is promised, and prints nothing that could pass for a plan.

use std::process::{Command, Stdio};

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde::Deserialize as _;
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation, Permissions, Seed};

use super::super::harness::{World, eventually, identity, succeeded};
use super::{plan, run_args};

/// Exit code and standard error of a command that has printed nothing.
fn refused(output: &std::process::Output) -> (i32, String) {
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!said.contains("panicked") && said.starts_with("unkey-operator: "), "{said}");
    (output.status.code().unwrap(), said)
}

#[tokio::test]
async fn what_cannot_be_planned_is_said_and_nothing_is_printed() {
    let world = World::new("plan-refuses").await;
    let run = run_args(&world, &[]);
    let write = |name: &str, text: &str| {
        let path = world.files.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let half = write("half.yaml", "apiVersion: unkey.com/v1alpha1\nkind: Identity\nmetadata: {name: a\n");
    let other = write("other/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    let other = std::path::Path::new(&other).parent().unwrap().to_str().unwrap().to_owned();
    let rows: &[(&[&str], i32, &str)] = &[
        (&["-f", &half], 2, "is not valid YAML or JSON: line"),
        (&["-f", &other], 2, "no Identity in"),
        (&["-f", "/nonexistent.yaml"], 2, "'/nonexistent.yaml' cannot be read"),
        (&["--kubeconfig", "/nonexistent/config"], 2, "'/nonexistent/config' cannot be read"),
        (&["--root-key-file", "/nonexistent/key"], 2, "/nonexistent/key does not exist"),
        (&["--prune"], 2, "--filename"),
        (&["-l", "a in"], 2, "the API server refuses the label selector"),
    ];
    for (args, code, words) in rows {
        let (found, said) = refused(&plan(&world, args, &run).await);
        assert_eq!(found, *code, "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
}

/// Unkey fails in the middle of the listing, or shows another workspace.
#[tokio::test]
async fn a_listing_that_fails_is_no_plan() {
    let world = World::new("plan-pages").await;
    let operator = world.start().await;
    world.create("acme", &json!({"externalId": "acme"})).await;
    world.ready("acme").await;
    assert!(operator.terminate().await.success());
    for n in 0..250 {
        let seed = Seed { external_id: format!("other-{n}"), ..Seed::default() };
        world.workspace.seed(seed).unwrap();
    }
    let run = run_args(&world, &[]);
    let fails = Fault::new(FaultKind::status(403, "", ""));
    world.workspace.order(fails.on(Operation::List).after(2));
    let (code, said) = refused(&plan(&world, &[], &run).await);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("page 3 of the workspace cannot be listed"), "{said}");
    world.workspace.clear_faults();

    let elsewhere = world.emulator.workspace("elsewhere");
    elsewhere.add_root_key("unkey_elsewhere_1", Permissions::ALL);
    let (code, said) = refused(&plan(&world, &["--root-key", "unkey_elsewhere_1"], &run).await);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("leads to another workspace") && said.contains("--root-key"), "{said}");
    assert!(!said.contains("unkey_elsewhere_1"), "{said}");
}

/// `--fail-on` by each of its words that this world has, a reader that goes away, and what a plan does not show.
#[tokio::test]
async fn exit_codes_and_what_is_not_shown() {
    let world = World::new("plan-exits").await;
    let run = run_args(&world, &[]);
    world.create("acme", &json!({"externalId": "acme", "meta": {"note": "CANARY-meta"}})).await;
    let code = async |args: &[&str]| plan(&world, args, &run).await.status.code().unwrap();
    assert_eq!(code(&[]).await, 0);
    for (on, expected) in [("create", 3), ("any", 3), ("delete", 0), ("unmanaged", 1)] {
        assert_eq!(code(&["--fail-on", on]).await, expected, "{on}");
    }
    for format in ["text", "json", "jsonl"] {
        let output = plan(&world, &["--output", format], &run).await;
        let shown = succeeded(&output) + &String::from_utf8_lossy(&output.stderr);
        assert!(shown.contains("acme") && !shown.contains("CANARY") && !shown.contains(super::READER), "{shown}");
    }
    assert!(succeeded(&plan(&world, &["--show-meta"], &run).await).contains("CANARY-meta"));

    let line = format!(
        "{} plan --kubeconfig {} --api-url {} -- run {} | true",
        env!("CARGO_BIN_EXE_unkey-operator"),
        world.plane.kubeconfig().display(),
        world.emulator.base_url(),
        run.join(" ")
    );
    let mut shell = Command::new("bash");
    shell
        .args(["-o", "pipefail", "-c", &line])
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("UNKEY_ROOT_KEY", super::READER);
    let output = tokio::task::spawn_blocking(move || shell.stdin(Stdio::null()).output().unwrap()).await.unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// Manifests alone: against Unkey, and against other manifests, without a cluster.
#[tokio::test]
async fn without_a_cluster() {
    let world = World::new("plan-alone").await;
    let meta = json!({"theirs": 1}).as_object().unwrap().clone();
    world.workspace.seed(Seed { external_id: "acme".to_owned(), meta: Some(meta), ..Seed::default() }).unwrap();
    world.workspace.add_root_key(super::READER, Permissions::READ_ONLY);
    let folder = |name: &str, specs: &[(&str, Value)]| {
        let folder = world.files.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, spec) in specs {
            std::fs::write(folder.join(format!("{name}.json")), identity(name, spec).to_string()).unwrap();
        }
        folder.to_str().unwrap().to_owned()
    };
    let old = folder(
        "old",
        &[("acme", json!({"externalId": "acme", "meta": {"a": 1}})), ("gone", json!({"externalId": "gone"}))],
    );
    let new = folder(
        "new",
        &[("acme", json!({"externalId": "acme", "meta": {"a": 2}})), ("twin", json!({"externalId": "acme"}))],
    );
    let run = async |args: Vec<String>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unkey-operator"));
        command.args(["plan", "--output", "json"]).args(args).args(["--api-url", &world.emulator.base_url()]);
        command.env_clear().env("HOME", "/nonexistent").env("UNKEY_ROOT_KEY", super::READER);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        serde_json::from_str::<Value>(&succeeded(&output)).unwrap()["summary"].clone()
    };
    let args = |more: &[&str]| [&["-f", &new], more].concat().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(run(args(&["--no-cluster"])).await, json!({"update": 1, "invalid": 1}));
    world.workspace.clear_requests();
    assert_eq!(run(args(&["--base", &old])).await, json!({"update": 1, "invalid": 1, "delete": 1}));
    assert_eq!(world.workspace.requests().len(), 0, "neither Unkey nor a key is needed");
}

/// The rights of `examples/plan/rbac.yaml` are enough, and the arguments of the operator's Pod count.
#[tokio::test]
async fn a_reader_plans_by_the_settings_of_the_operators_pod() {
    let world = World::alone("plan-reader").await;
    let account = world.plane.service_account_kubeconfig(&world.namespace, "unkey-operator-plan").await.unwrap();
    apply_example(&world).await;
    world.workspace.seed(Seed { external_id: "acme".to_owned(), ..Seed::default() }).unwrap();
    world.create("acme", &json!({"externalId": "acme"})).await;
    let planned = async || {
        world.workspace.add_root_key(super::READER, Permissions::READ_ONLY);
        let mut command = Command::new(env!("CARGO_BIN_EXE_unkey-operator"));
        command.args(["plan", "--output", "json", "--api-url", &world.emulator.base_url()]);
        command.args(["--kubeconfig", account.to_str().unwrap()]);
        command.env_clear().env("HOME", "/nonexistent").env("UNKEY_ROOT_KEY", super::READER);
        // Nothing of the user's own environment counts as the operator's.
        command.env("UNKEY_OPERATOR_DEFAULT_ADOPTION_POLICY", "Always");
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let (code, said) = eventually("the rights to be granted", async || {
        let (code, said) = refused(&planned().await);
        (!said.contains("forbidden")).then_some((code, said))
    })
    .await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("no Pod of the operator is found") && said.contains("'-- run'"), "{said}");

    for (name, policy, holder) in [("one", "IfLossless", false), ("two", "Never", true)] {
        pod(&world, name, policy).await;
        if holder {
            lease(&world, name).await;
        }
    }
    let report: Value = serde_json::from_str(&succeeded(&planned().await)).unwrap();
    assert_eq!(report["policy"]["defaultAdoptionPolicy"], "Never", "that of the holder of the lease: {report:#}");
    assert_eq!(report["policy"]["from"], format!("Pod {}/two", world.namespace));
    assert_eq!(report["changes"][0]["reason"], "AlreadyExists");
}

/// Whoever may list one namespace only gets a plan of it, which says so.
#[tokio::test]
async fn a_plan_of_one_namespace_says_what_it_does_not_know() {
    let world = World::new("plan-narrow").await;
    let account = world.plane.service_account_kubeconfig(&world.namespace, "narrow").await.unwrap();
    let role = ["create", "role", "narrow", "--verb=get,list", "--resource=identities.unkey.com"];
    succeeded(&world.run_kubectl(&role, "").await);
    let subject = format!("--serviceaccount={}:narrow", world.namespace);
    succeeded(&world.run_kubectl(&["create", "rolebinding", "narrow", "--role=narrow", &subject], "").await);
    world.create("acme", &json!({"externalId": "acme"})).await;
    world.workspace.add_root_key(super::READER, Permissions::READ_ONLY);
    let planned = async |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unkey-operator"));
        command.args(["plan", "--output", "json", "--api-url", &world.emulator.base_url()]).args(args);
        command.args(["--kubeconfig", account.to_str().unwrap(), "--", "run"]);
        command.env_clear().env("HOME", "/nonexistent").env("UNKEY_ROOT_KEY", super::READER);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let report = eventually("the right to be granted", async || {
        let output = planned(&["-n", &world.namespace]).await;
        output.status.success().then(|| serde_json::from_str::<Value>(&succeeded(&output)).unwrap())
    })
    .await;
    assert_eq!(report["read"]["onlyNamespace"], world.namespace.as_str());
    assert_eq!((&report["summary"]["create"], &report["unmanaged"]), (&json!(1), &Value::Null), "{report:#}");
    assert!(report["notes"][0].as_str().unwrap().contains("may own an externalId"), "{report:#}");
    let (code, said) = refused(&planned(&[]).await);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("cannot list resource \"identities\""), "{said}");
}

async fn apply_example(world: &World) {
    for document in serde_yaml::Deserializer::from_str(include_str!("../../../examples/plan/rbac.yaml")) {
        let mut object = Value::deserialize(document).unwrap();
        if object["kind"] == "ServiceAccount" {
            continue;
        }
        if object["kind"] == "ClusterRoleBinding" {
            object["subjects"][0]["namespace"] = json!(world.namespace);
        }
        succeeded(&world.plane_kubectl(&["apply", "-f", "-"], &object.to_string()).await);
    }
}

async fn pod(world: &World, name: &str, policy: &str) {
    let args = ["run", "--leader-elect", "--lease-name=planned", &format!("--lease-namespace={}", world.namespace)];
    let env = json!([{"name": "UNKEY_OPERATOR_DEFAULT_ADOPTION_POLICY", "value": policy}]);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": world.namespace, "labels": {"app.kubernetes.io/name": "unkey-operator"}},
        "spec": {"serviceAccountName": "unkey-operator-plan", "containers": [{"name": "operator", "image": "unkey-operator:0.1.0", "args": args, "env": env}]},
    });
    succeeded(&world.run_kubectl(&["create", "-f", "-"], &pod.to_string()).await);
}

async fn lease(world: &World, holder: &str) {
    let kind = GroupVersionKind::gvk("coordination.k8s.io", "v1", "Lease");
    let resource = ApiResource::from_gvk_with_plural(&kind, "leases");
    let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &resource);
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "planned"},
                       "spec": {"holderIdentity": format!("{holder}_0123456789abcdef")}});
    api.patch("planned", &PatchParams::apply("tests").force(), &Patch::Apply(&lease)).await.unwrap();
}

/// The script of the example for pull requests.
#[tokio::test]
async fn the_script_for_pull_requests() {
    let world = World::new("plan-comment").await;
    let folder = |name: &str, limit: u64| {
        let folder = world.files.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let limits = json!([{"name": "requests", "limit": limit, "duration": 1000}]);
        let manifest = identity("acme", &json!({"externalId": "acme", "ratelimits": limits}));
        std::fs::write(folder.join("acme.json"), manifest.to_string()).unwrap();
        folder
    };
    let (loose, tight) = (folder("loose", 100), folder("tight", 10));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/plan/comment.sh");
    for (base, head, code, words) in [
        (&loose, &tight, 3, "v ratelimits[requests]  100 per 1 s -> 10 per 1 s"),
        (&tight, &loose, 0, "^ ratelimits[requests]"),
    ] {
        let mut command = Command::new(script);
        command.args([base, head]).env("UNKEY_OPERATOR", env!("CARGO_BIN_EXE_unkey-operator"));
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(words) && said.contains("```text"), "{said}");
        assert_eq!(said.contains("**It deletes"), code == 3);
    }
}
