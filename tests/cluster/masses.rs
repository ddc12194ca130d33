//! R20: a hold before each deletion, and a brake on many of them.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::harness::{Cost, Operator, World, condition, eventually, succeeded};

/// Three may go at once.
const THREE: [&str; 6] = ["--deletion-hold", "1s", "--max-deletions", "3", "--max-deletions-share", "0"];

/// So many objects, ready, named by this letter; so are their externalIds.
async fn customers(world: &World, letter: char, count: usize) -> Vec<String> {
    let names: Vec<_> = (0..count).map(|n| format!("{letter}{n}")).collect();
    for name in &names {
        world.create(name, &json!({"externalId": name, "meta": {"plan": "pro"}})).await;
    }
    for name in &names {
        world.ready(name).await;
    }
    names
}

/// What an operator gets that watches the namespace of `world` beside those that it is told of already.
fn args_beside(world: &World) -> Vec<String> {
    let mut args = world.args();
    args.extend(["--namespace".to_owned(), world.namespace.clone()]);
    args
}

async fn held(world: &World, names: &[String]) {
    for name in names {
        let object = world.reason(name, "DeletionHeld").await;
        assert_eq!(condition(&object, "Ready")["status"], "False");
        assert_eq!(condition(&object, "Stalled"), Value::Null, "kstatus: it is in progress");
    }
}

/// The command that the condition of `name` prints, from these words on.
async fn printed(world: &World, name: &str, command: &str) -> String {
    let message = condition(&world.get(name).await.unwrap(), "Ready")["message"].as_str().unwrap().to_owned();
    let from = message.find(command).unwrap_or_else(|| panic!("{message}"));
    let text = &message[from..];
    text[..text.find(". To ").unwrap_or(text.len())].to_owned()
}

#[tokio::test]
async fn r20_a_mass_waits_for_the_approval_that_its_conditions_print() {
    let world = World::new("mass").await.with_args(&THREE);
    let operator = world.start().await;
    let names = customers(&world, 'c', 8).await;
    world.delete_all().await;
    held(&world, &names).await;
    assert_eq!(world.calls()[3], 0, "nothing was deleted in Unkey");
    let metrics = operator.metrics().await;
    let shown = |name: &str| metrics.sum(&format!("unkey_operator_{name}"), &[]);
    assert_eq!([shown("deletions_waiting"), shown("deletions_held"), shown("mass_deletions")], [8, 8, 1]);
    assert_eq!([shown("deletions_limit"), shown("deletions_approved")], [3, 0]);
    let mut told = Vec::new();
    for name in &names {
        told.extend(world.events(name).await.into_iter().filter(|told| told.reason == "MassDeletionHeld"));
    }
    let [told] = &told[..] else { panic!("one event: {told:?}") };
    assert!(told.kind == "Warning" && told.note.contains("4 in namespace"), "{told:?}");
    let errors: Vec<_> = operator.log().lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect();
    assert!(errors.len() == 1 && errors[0].contains("Too many deletions at once"), "{errors:?}");

    // One is kept, by the command that its condition prints.
    let command = printed(&world, "c0", "kubectl patch").await;
    succeeded(&world.shell(&command).await);
    world.gone("c0").await;
    assert_eq!(world.calls()[3], 0);
    assert_ne!(world.upstream("c0"), Value::Null);

    // A restart neither frees nor writes anything.
    let before = world.get("c1").await.unwrap();
    assert!(operator.terminate().await.success());
    let operator = world.start().await;
    eventually("the next process to hold them", async || {
        (operator.metrics().await.sum("unkey_operator_deletions_held", &[]) == 7).then_some(())
    })
    .await;
    assert_eq!(world.get("c1").await.unwrap(), before);

    let command = printed(&world, "c1", "kubectl annotate").await;
    succeeded(&world.shell(&command).await);
    for name in &names {
        world.gone(name).await;
    }
    assert_eq!(world.calls()[3], 7);
    assert_eq!(world.workspace.snapshot().live.len(), 1, "the one that was kept");
}

#[tokio::test]
async fn r20_a_few_go_after_the_hold_and_nothing_is_written_of_it() {
    let world = World::in_order("few").await.with_args(&THREE).with_args(&["--deletion-hold", "2s"]);
    let operator = world.start().await;
    let names = customers(&world, 'c', 5).await;
    let before = world.cost_so_far("c0").await;
    let began = std::time::Instant::now();
    for name in &names[..3] {
        world.delete(name).await;
    }
    eventually("them to wait", async || {
        (operator.metrics().await.sum("unkey_operator_deletions_waiting", &[]) == 3).then_some(())
    })
    .await;
    world.gone("c0").await;
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(world.cost_since("c0", before).await, Cost::DELETE, "no status");
    for name in &names[1..3] {
        world.gone(name).await;
    }
    assert_eq!(world.calls()[3], 3);
}

/// An episode ends when enough of it is kept or approved: the rest goes by itself.
#[tokio::test]
async fn r20_the_rest_goes_when_it_is_few_enough() {
    let world = World::new("rest").await.with_args(&THREE);
    let _operator = world.start().await;
    let names = customers(&world, 'c', 5).await;
    world.delete_all().await;
    held(&world, &names).await;
    for (name, approval) in [("c0", "2026-01-01T00:00:00Z"), ("c1", "yes")] {
        world.patch(name, &json!({"metadata": {"annotations": {"unkey.com/deletion-approved": approval}}})).await;
        let cause = if name == "c0" { "ApprovalPast" } else { "ApprovalUnreadable" };
        world.until(name, cause, |it| it["status"]["cause"] == cause).await;
    }
    assert_eq!(world.calls()[3], 0);
    for name in ["c0", "c1"] {
        world.patch(name, &json!({"metadata": {"annotations": {"unkey.com/deletion-approved": "always"}}})).await;
    }
    for name in &names {
        world.gone(name).await;
    }
    assert_eq!(world.calls()[3], 5);
}

/// One tenant's mass does not hold another's deletion; a throw-away namespace needs no approval; and the heir of a held owner says so.
#[tokio::test]
async fn r20_a_mass_holds_its_own_namespace() {
    let world = World::new("mass-own").await;
    let (quiet, scratch) = (world.beside("mass-quiet").await, world.beside("mass-scratch").await);
    let pattern = format!("{}*", &scratch.namespace[..scratch.namespace.len() - 1]);
    let world = world
        .with_args(&["--namespace", &quiet.namespace, "--namespace", &scratch.namespace])
        .with_args(&THREE)
        .with_args(&["--deletion-approved-namespaces", &pattern]);
    let operator = world.start_as(&args_beside(&world), &[]).await;
    let (mass, few, many) =
        (customers(&world, 'c', 6).await, customers(&quiet, 'q', 2).await, customers(&scratch, 's', 6).await);
    world.delete_all().await;
    held(&world, &mass).await;
    quiet.delete(&few[0]).await;
    quiet.gone(&few[0]).await;
    scratch.delete_all().await;
    for name in &many {
        scratch.gone(name).await;
    }
    assert_eq!(world.calls()[3], 7);
    quiet.create("heir", &json!({"externalId": "c0"})).await;
    let heir = quiet.until("heir", "told of", |it| condition(it, "Ready")["message"].is_string()).await;
    let message = condition(&heir, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("waits for an approval (DeletionHeld)") && !message.contains(&world.namespace),
        "{message}"
    );
    drop(operator);
}

/// R10 comes first: a definition that is removed takes its objects along, and their identities stay, however many they are.
#[tokio::test]
async fn r20_the_removal_of_the_type_is_no_mass() {
    let world = World::alone("mass-type").await.with_args(&THREE);
    let operator = world.start_as(&world.args_everywhere(), &[]).await;
    customers(&world, 'c', 8).await;
    let api: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    api.delete("identities.unkey.com", &DeleteParams::default()).await.unwrap();
    eventually("the CRD to be gone", async || {
        api.get_opt("identities.unkey.com").await.unwrap().is_none().then_some(())
    })
    .await;
    assert_eq!(world.calls()[3], 0);
    assert_eq!(world.workspace.snapshot().live.len(), 8);
    assert!(!operator.log().contains("Too many deletions"));
}

/// Eleven that are suspended wait for their user, and not for the brake: they hold nobody's deletion, in no namespace.
#[tokio::test]
async fn r20_suspended_deletions_hold_nobody() {
    let world = World::new("mass-suspended").await;
    let other = world.beside("mass-beside").await;
    let world = world.with_args(&["--namespace", &other.namespace]).with_args(&THREE);
    let _operator = world.start_as(&args_beside(&world), &[]).await;
    let (many, few) = (customers(&world, 'c', 11).await, customers(&other, 'q', 1).await);
    for name in &many {
        world.edit(name, &json!({"suspend": true})).await;
    }
    for name in &many {
        world.reason(name, "Suspended").await;
    }
    world.delete_all().await;
    for name in &many {
        world.reason(name, "DeletionBlocked").await;
    }
    other.delete(&few[0]).await;
    other.gone(&few[0]).await;
    assert_eq!(world.calls()[3], 1);
    // They go on one by one, and are a mass when too many do at once.
    for name in &many[..2] {
        world.edit(name, &json!({"suspend": false})).await;
        world.gone(name).await;
    }
    world.edit(&many[2], &json!({"suspend": false})).await;
    world.reason(&many[2], "DeletionHeld").await;
    assert_eq!(world.calls()[3], 3, "with the one of the other namespace");
}

/// A trickle within the window is a mass too; and the next leader holds what the one before has held.
#[tokio::test]
async fn r20_a_trickle_is_held_and_a_failover_frees_nothing() {
    let world = World::new("mass-trickle").await.with_args(&THREE).with_args(&["--lease-duration", "3s"]);
    let namespace = world.namespace.clone();
    let world = world.with_args(&["--lease-namespace", &namespace]);
    let mut args = world.args();
    args.push("--leader-elect".to_owned());
    let first = world.start_as(&args, &[]).await;
    let names = customers(&world, 'c', 9).await;
    let second = Operator::start(world.files.path().join("second.log"), &args, &[]);
    second.until_logged("standing by").await;
    for name in &names[..3] {
        world.delete(name).await;
        world.gone(name).await;
    }
    for name in &names[3..] {
        world.delete(name).await;
    }
    held(&world, &names[3..]).await;
    assert_eq!(world.calls()[3], 3);
    first.kill();
    eventually("the next leader to hold them", async || {
        (second.metrics().await.sum("unkey_operator_deletions_held", &[]) == 6).then_some(())
    })
    .await;
    assert_eq!(world.calls()[3], 3, "they are more than may go, whoever leads");
}

/// Waits until it counts so many, for as long as it goes on.
async fn until(wanted: u64, count: impl AsyncFn() -> u64) {
    let mut last = count().await;
    while last != wanted {
        last = eventually(&format!("more or less than {last}"), async || {
            let now = count().await;
            (now != last).then_some(now)
        })
        .await;
    }
}

/// `kubectl delete --all` of a thousand: none goes, each says so once, and all go when they are approved.
#[tokio::test]
async fn r20_a_thousand_wait_and_go_when_approved() {
    let world = World::new("mass-thousand")
        .await
        .with_args(&["--deletion-hold", "10s", "--max-deletions", "10"])
        .with_args(&["--max-requests-per-second", "0"]);
    let operator = world.start().await;
    let manifest = |n: usize| super::harness::identity(&format!("c{n}"), &json!({"externalId": format!("c{n}")}));
    let all: Vec<_> = (0..1_000).map(manifest).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": all});
    succeeded(&world.run_kubectl(&["create", "-f", "-"], &list.to_string()).await);
    let shows = async |reason: &str| {
        let served = operator.metrics().await;
        served.sum("unkey_operator_identities", &[("reason", reason)])
    };
    until(1_000, async || shows("Synced").await).await;
    let (_, statuses) = world.kube_writes();
    world.delete_all().await;
    until(1_000, async || shows("DeletionHeld").await).await;
    assert_eq!(world.calls()[3], 0);
    assert_eq!(world.kube_writes().1 - statuses, 1_000, "each says so once");
    let args =
        ["annotate", "identities.unkey.com", "--all", "-n", &world.namespace, "unkey.com/deletion-approved=always"];
    succeeded(&world.run_kubectl(&args, "").await);
    until(0, async || shows("DeletionHeld").await).await;
    eventually("the last to be gone", async || world.list().await.is_empty().then_some(())).await;
    assert_eq!(world.calls()[3], 1_000);
}
