//! `plan`: what it says is what the operator then does, and it changes nothing itself.

mod compare;
mod refuses;
mod worlds;

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use unkey_emulator::Permissions;

use self::compare::{Before, compared};
use self::worlds::{Little, little_worlds};
use super::harness::{World, eventually, identity, say, succeeded};

/// A root key that may read, and nothing else.
const READER: &str = "unkey_reader_77aa";
/// So many little worlds: `PLANNED` makes them more.
const SEEDS: u64 = 1_000;
/// So often each thing has to come up.
const EACH: usize = 20;

/// Runs `plan` with a key that may only read. `run`: the operator's arguments.
pub async fn plan(world: &World, args: &[&str], run: &[String]) -> Output {
    world.workspace.add_root_key(READER, Permissions::READ_ONLY);
    let mut command = Command::new(env!("CARGO_BIN_EXE_unkey-operator"));
    command.arg("plan").args(["--api-url", &world.emulator.base_url(), "--max-requests-per-second", "0"]).args(args);
    command.args(["--", "run"]).args(run);
    command.env_clear().env("HOME", "/nonexistent").env("UNKEY_ROOT_KEY", READER).stdin(Stdio::null());
    command.env("UNKEY_OPERATOR_KUBECONFIG", world.plane.kubeconfig());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// The plan as data, once nothing of it is too young to judge.
async fn settled(world: &World, args: &[&str], run: &[String]) -> Value {
    eventually("a plan without anything too young", async || {
        let output = succeeded(&plan(world, &[&["--output", "json", "--show-meta"], args].concat(), run).await);
        let report: Value = serde_json::from_str(&output).unwrap();
        let is_young =
            |change: &Value| change["message"].as_str().is_some_and(|it| it.contains("Run this command again"));
        (!report["changes"].as_array().unwrap().iter().any(is_young)).then_some(report)
    })
    .await
}

/// The arguments by which the world's operator runs, less those that only say how it is reached.
fn run_args(world: &World, more: &[&str]) -> Vec<String> {
    let args = world.args();
    let mut kept: Vec<String> = Vec::new();
    for pair in args.chunks(2) {
        let is_replaced = more.chunks(2).any(|it| it[0] == pair[0]);
        if pair[0] != "--kubeconfig" && !is_replaced {
            kept.extend(pair.iter().cloned());
        }
    }
    kept.extend(more.iter().map(ToString::to_string));
    kept
}

/// Many little worlds at once: each an externalId with what happens to it while no operator runs. Then the plan, then the operator, and what it does is
/// what the plan said: object by object, field by field, write by write. Falsified plans, each without one rule, are caught.
#[tokio::test]
async fn what_is_planned_is_what_the_operator_then_does() {
    let world = World::new("plan-seeds")
        .await
        .with_args(&["--scan-interval", "2s", "--max-requests-per-second", "0"])
        .with_args(&["--log-level", "info"]);
    let seeds = seeds();
    let littles = little_worlds(seeds);
    begin(&world, &littles).await;
    happen(&world, &littles).await;

    let before = Before::of(&world);
    world.workspace.clear_requests();
    let report = settled(&world, &[], &run_args(&world, &[])).await;
    let asked = world.workspace.requests();
    assert!(asked.iter().all(|it| it.operation == unkey_emulator::Operation::List), "a plan only lists");
    assert_eq!(Before::of(&world), before, "a plan changes nothing");
    let mut falsified = BTreeMap::new();
    for (rule, flags) in FALSIFIED {
        falsified.insert(rule, settled(&world, &[], &run_args(&world, flags)).await);
    }

    world.workspace.clear_requests();
    let operator = world.start().await;
    let scans = async || operator.metrics().await.sum("unkey_operator_scans_total", &[("result", "complete")]);
    let quiet = async || {
        let begun = scans().await;
        eventually("two more scans", async || (scans().await >= begun + 2).then_some(())).await;
    };
    // What is found by a scan is worked on after it, and is over by the second one after that.
    quiet().await;
    eventually("the operator to be done", async || {
        let writes = world.workspace.counts().total;
        quiet().await;
        let lists = 40;
        (world.workspace.counts().total < writes + lists).then_some(())
    })
    .await;
    let wrong = compared(&world, &littles, &before, &report).await;
    assert!(wrong.is_empty(), "{} of {seeds}:\n{}", wrong.len(), wrong[..wrong.len().min(10)].join("\n"));
    for (rule, report) in &falsified {
        let wrong = compared(&world, &littles, &before, report).await;
        assert!(!wrong.is_empty(), "a plan without {rule} passes");
    }
    tell(&report);
}

#[allow(clippy::disallowed_methods)] // no setting of the operator
fn seeds() -> u64 {
    std::env::var("PLANNED").map_or(SEEDS, |text| text.parse().expect("PLANNED is a number"))
}

/// Plans of an operator that is set up otherwise: as if a rule were left out.
const FALSIFIED: [(&str, &[&str]); 5] = [
    ("R3, what is not lossless is refused", &["--default-adoption-policy", "Always"]),
    ("R3, what is lossless is adopted", &["--default-adoption-policy", "Never"]),
    ("R7, a deletion deletes", &["--default-deletion-policy", "Orphan"]),
    ("R20, few deletions need no approval", &["--max-deletions", "1", "--max-deletions-share", "0"]),
    ("R21, what is not observed is enforced", &["--default-management-policy", "Observe"]),
];

/// Applies what there is at the beginning, lets an operator bring it to rest, and ends it.
async fn begin(world: &World, littles: &[Little]) {
    let operator = world.start().await;
    for little in littles {
        little.seed(&world.workspace);
    }
    let all: Vec<Value> = littles.iter().flat_map(|it| it.at_first.clone()).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": all});
    succeeded(&world.run_kubectl(&["create", "-f", "-"], &list.to_string()).await);
    eventually("all to be at rest", async || {
        let metrics = operator.metrics().await;
        let rest = [
            "Synced",
            "Suspended",
            "AlreadyExists",
            "ExternalIdConflict",
            "Observed",
            "Differs",
            "NotInUnkey",
            "WouldRefuse",
        ];
        let resting: u64 = rest.iter().map(|it| metrics.sum("unkey_operator_identities", &[("reason", it)])).sum();
        (resting >= u64::try_from(all.len()).unwrap()).then_some(())
    })
    .await;
    assert!(operator.terminate().await.success());
}

/// What happens while no operator runs.
async fn happen(world: &World, littles: &[Little]) {
    use futures::StreamExt as _;
    let each = littles.iter().map(|little| async move { little.happens(world).await });
    futures::stream::iter(each).buffer_unordered(16).collect::<Vec<()>>().await;
}

fn tell(report: &Value) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for change in report["changes"].as_array().unwrap() {
        let word = |field: &str| change[field].as_str().unwrap_or("-").to_owned();
        *counts.entry(format!("{} {}", word("action"), word("reason"))).or_default() += 1;
    }
    let told: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
    say(&format!("plan = operator: {}; {} unchanged", told.join(", "), report["summary"]["unchanged"]));
    let few: Vec<_> = counts.iter().filter(|(_, count)| **count < EACH).collect();
    assert!(few.is_empty(), "too few to count: {few:?}");
}

/// A manifest of this world's namespace.
fn manifest(world: &World, name: &str, spec: &Value) -> Value {
    let mut manifest = identity(name, spec);
    manifest["metadata"]["namespace"] = json!(world.namespace);
    manifest
}

/// The same plan comes of manifests before they are applied, and of the objects after.
#[tokio::test]
async fn manifests_are_planned_as_if_they_were_applied() {
    let world = World::new("plan-manifests").await;
    let operator = world.start().await;
    let limit = |name: &str, limit: u64| json!({"name": name, "limit": limit, "duration": 60_000});
    let both = json!({"externalId": "acme", "ratelimits": [limit("requests", 100), limit("tokens", 5)]});
    for (manager, args) in [
        ("client", vec!["apply", "-f", "-"]),
        ("server", vec!["apply", "--server-side", "-f", "-"]),
        ("argo", vec!["apply", "--server-side", "--field-manager=argocd-controller", "-f", "-"]),
    ] {
        let mut spec = both.clone();
        spec["externalId"] = json!(manager);
        succeeded(&world.run_kubectl(&args, &manifest(&world, manager, &spec).to_string()).await);
        world.ready(manager).await;
    }
    assert!(operator.terminate().await.success());
    let file = world.files.path().join("manifests.yaml");
    let write = |specs: &[(&str, Value)]| {
        let all: Vec<Value> = specs.iter().map(|(name, spec)| manifest(&world, name, spec)).collect();
        std::fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": all}).to_string()).unwrap();
    };
    let fewer = |id: &str| json!({"externalId": id, "ratelimits": [limit("requests", 10)]});
    let specs: Vec<(&str, Value)> = ["client", "server", "argo"]
        .map(|it| (it, fewer(it)))
        .into_iter()
        .chain([("newcomer", json!({"externalId": "newcomer", "meta": {"a": 1}}))])
        .collect();
    write(&specs);
    let run = run_args(&world, &[]);
    for dry_run in ["local", "server"] {
        let report = settled(&world, &["-f", file.to_str().unwrap(), "--dry-run", dry_run], &run).await;
        let changes = report["changes"].as_array().unwrap();
        assert_eq!(changes.len(), 4, "{changes:#?}");
        for change in changes.iter().filter(|it| it["name"] != "newcomer") {
            let effects: Vec<_> = change["fields"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| (it["path"].as_str().unwrap(), it["effect"].as_str().unwrap()))
                .collect();
            assert_eq!(
                effects,
                [("ratelimits[requests]", "tighten"), ("ratelimits[tokens]", "remove")],
                "{dry_run}: {change:#}"
            );
        }
        assert_eq!(report["summary"]["create"], 1);
    }
    assert_eq!(world.list().await.len(), 3, "nothing was applied");
}
