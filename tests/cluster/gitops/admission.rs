//! `examples/admission`: which externalIds a namespace may name, decided by the API server as the file says it.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{World, condition, eventually, identity, succeeded};

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/admission/externalid-prefix.yaml");
const ANNOTATION: &str = "unkey.com/external-id-prefix";

/// What the API server says to an Identity of this externalId, in a dry run; `None`: it takes it.
async fn refusal(world: &World, external_id: &str) -> Option<String> {
    let manifest = identity("tried", &json!({"externalId": external_id})).to_string();
    let output = world.run_kubectl(&["create", "--dry-run=server", "-f", "-"], &manifest).await;
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Sets the namespace's prefix, and waits until the policy heeds it.
async fn set_prefix(world: &World, prefix: &str) {
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let patch = json!({"metadata": {"annotations": {ANNOTATION: prefix}}});
    namespaces.patch(&world.namespace, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    let allowed = format!("{prefix}probe");
    let heeded = async || refusal(world, &allowed).await.is_none().then_some(());
    eventually(&format!("the prefix '{prefix}' to be heeded"), heeded).await;
}

#[tokio::test]
async fn external_ids_are_bound_to_namespaces() {
    let world = World::alone("tenant").await;
    let operator = world.start().await;
    // There before the policy, and against it.
    for name in ["edited", "deleted", "left"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(name).await;
    }
    succeeded(&world.run_kubectl(&["apply", "-f", POLICY], "").await);
    eventually("the policy to be heeded", async || refusal(&world, "acme").await).await;

    let namespace = &world.namespace;
    let own = |rest: &str| format!("{namespace}.{rest}");
    let base = namespace.split('-').next().unwrap();
    for external_id in [own("acme"), own(""), own("eu.acme"), own("x").repeat(2)] {
        assert_eq!(refusal(&world, &external_id).await, None, "{external_id}");
    }
    let others = [
        "acme".to_owned(),
        namespace.clone(),
        format!("{namespace}-eu.acme"),
        format!("{namespace}acme"),
        format!("x{namespace}.acme"),
        format!("{base}.acme"),
        "other.acme".to_owned(),
        own("acme").to_uppercase(),
    ];
    for external_id in others {
        let said = refusal(&world, &external_id).await.unwrap_or_else(|| panic!("{external_id} passes"));
        assert!(said.contains("externalid-prefix.unkey.com"), "{said}");
        assert!(said.contains(&format!("spec.externalId must begin with \"{namespace}.\"")), "{said}");
    }
    // By every way to make one.
    let manifest = identity("tried", &json!({"externalId": "acme"})).to_string();
    for verb in [&["create"][..], &["apply"], &["apply", "--server-side"]] {
        let output = world.run_kubectl(&[verb, &["-f", "-"]].concat(), &manifest).await;
        assert!(!output.status.success(), "{verb:?}: {output:?}");
    }
    assert_eq!(world.get("tried").await, None);

    // A prefix of its own takes the place of the default, and an empty one lets everything reconcile.
    set_prefix(&world, "acme.").await;
    assert_eq!(refusal(&world, "acme.eu").await, None);
    for external_id in [own("acme"), "acme".to_owned(), "acmeeu".to_owned(), "Acme.eu".to_owned()] {
        assert!(refusal(&world, &external_id).await.is_some(), "{external_id} passes");
    }
    set_prefix(&world, "").await;
    assert_eq!(refusal(&world, "whatever").await, None);
    set_prefix(&world, "acme.").await;

    // What was there before is edited, held, let go and deleted as ever.
    world.edit("edited", &json!({"meta": {"n": 2}})).await;
    world.ready("edited").await;
    world.delete("deleted").await;
    world.gone("deleted").await;
    assert_eq!(world.upstream("deleted"), Value::Null);
    let copy = identity("left", &json!({"externalId": "left", "meta": {"n": 1}})).to_string();
    succeeded(&world.run_kubectl(&["replace", "-f", "-"], &copy).await);
    world.until("left", "claimed again", |it| it["metadata"]["annotations"]["unkey.com/claim"].is_string()).await;
    assert_eq!(condition(&world.get("left").await.unwrap(), "Ready")["status"], "True");
    world.create("made", &json!({"externalId": "acme.made"})).await;
    world.ready("made").await;
    world.assert_in_step().await;
    assert!(operator.terminate().await.success());
}
