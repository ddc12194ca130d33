//! `helm --wait` on a chart of a user's own that holds an `Identity`, with the operator at work: what docs/guides/gitops.md says of each helm.

use std::fs;
use std::process::Output;

use tempfile::TempDir;
use unkey_emulator::{Fault, FaultKind, Seed};

use super::world::{ROOT_KEY, World};
use crate::harness::{Helm, helms};

const LONG: &str = "--timeout=100s";

/// A chart with one Identity, named like the release.
struct Shop(TempDir);

impl Shop {
    fn new() -> Self {
        let shop = Self(TempDir::new().unwrap());
        let identity = "apiVersion: unkey.com/v1alpha1\nkind: Identity\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  \
                        externalId: {{ .Release.Name }}\n  adoptionPolicy: Never\n  meta:\n    plan: {{ .Values.plan }}\n";
        fs::create_dir(shop.0.path().join("templates")).unwrap();
        fs::write(shop.0.path().join("Chart.yaml"), "apiVersion: v2\nname: shop\nversion: 1.0.0\n").unwrap();
        fs::write(shop.0.path().join("templates/identity.yaml"), identity).unwrap();
        shop
    }

    /// `helm install` or `helm upgrade` of it, with `--wait` and what else is said.
    async fn deploy(&self, world: &World, helm: &'static Helm, [verb, name]: [&str; 2], more: [&str; 2]) -> Output {
        let chart = self.0.path().to_str().unwrap();
        world.try_helm(helm, &[&[verb, name, chart, "--wait", "--set"], &more[..]].concat()).await
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn helm_4_waits_until_an_identity_is_ready_and_helm_3_does_not() {
    let [four, three] = helms();
    let world = World::of_a_namespace("waited").await;
    world.secret("root-key", ROOT_KEY).await;
    world.release(four, "install", &["--wait", "--timeout=120s"]).await;
    let shop = Shop::new();

    // What goes on by itself, for now in vain.
    let outage = world.workspace.order(Fault::new(FaultKind::html(503)));
    let output = shop.deploy(&world, three, ["install", "by-three"], ["plan=free", LONG]).await;
    assert!(output.status.success(), "{}", said(&output));
    let is_ready = async |name| world.condition(name).await.is_some_and(|(status, _)| status == "True");
    assert!(!is_ready("by-three").await);
    let output = shop.deploy(&world, four, ["install", "by-four"], ["plan=free", "--timeout=4s"]).await;
    let in_vain = format!("resource Identity/{}/by-four not ready. status: InProgress", world.namespace);
    assert!(!output.status.success() && said(&output).contains(&in_vain), "{}", said(&output));
    assert!(said(&output).contains("context deadline exceeded"), "{}", said(&output));
    assert!(world.workspace.clear_fault(outage));
    for (verb, name, plan) in
        [("upgrade", "by-four", "free"), ("upgrade", "by-four", "pro"), ("install", "by-four-anew", "free")]
    {
        let output = shop.deploy(&world, four, [verb, name], [&format!("plan={plan}"), LONG]).await;
        assert!(output.status.success(), "{verb} {name}: {}", said(&output));
        // At once: it has been waited for.
        assert!(is_ready(name).await, "{verb} {name}");
        assert!(world.workspace.live(name).unwrap().meta.to_string().contains(plan), "{verb} {name}");
    }

    // What a person has to look at.
    for name in ["taken-by-three", "taken-by-four"] {
        world.workspace.seed(Seed { external_id: name.to_owned(), ..Seed::default() }).unwrap();
    }
    let output = shop.deploy(&world, three, ["install", "taken-by-three"], ["plan=free", LONG]).await;
    assert!(output.status.success(), "{}", said(&output));
    world.not_ready_for("taken-by-three", "AlreadyExists").await;
    let output = shop.deploy(&world, four, ["install", "taken-by-four"], ["plan=free", LONG]).await;
    let failed = format!("resource Identity/{}/taken-by-four not ready. status: Failed", world.namespace);
    assert!(!output.status.success() && said(&output).contains(&failed), "{}", said(&output));
    assert!(said(&output).contains("adoptionPolicy is Never"), "the condition's message: {}", said(&output));
    assert!(!said(&output).contains("deadline"), "it gave up before its time: {}", said(&output));
}
