//! The chart's alerts and dashboard on what a real operator serves: each alert fires when things are so, and none that does not mean it.

mod dashboard;
mod deletions;
mod runbook;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation, Permissions};

use cutting_proxy::{Ending, Fault as KubeFault, FaultKind as KubeFaultKind};

use super::harness::{Operator, Sample, Scrape, World, eventually, firing, firing_once, promtool, refusal};

fn chart_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("charts/unkey-operator/files").join(name)
}

/// Every rule of the file.
fn rules() -> Vec<Value> {
    let file: Value = serde_yaml::from_str(&fs::read_to_string(chart_file("alerts.yaml")).unwrap()).unwrap();
    file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn text<'a>(rule: &'a Value, field: &str) -> &'a str {
    rule.pointer(&format!("/{}", field.replace('.', "/"))).and_then(Value::as_str).unwrap()
}

async fn scrape(operator: &Operator) -> Scrape {
    Scrape::of(vec![operator.metrics().await])
}

/// Nothing fires on the first scrape, and exactly these alerts on what follows.
#[track_caller]
fn assert_fires(before: &Scrape, after: &Scrape, expected: &[&str]) {
    assert_fired(&firing(before, after), expected);
}

/// The same soon after what happens between the two, if it does not happen again.
#[track_caller]
fn assert_fires_once(before: &Scrape, after: &Scrape, expected: &[&str]) {
    assert_fired(&firing_once(before, after), expected);
}

#[track_caller]
fn assert_fired((at_first, then): &(Vec<String>, Vec<String>), expected: &[&str]) {
    assert!(at_first.is_empty(), "while all is well: {at_first:?}");
    assert_eq!(then, expected);
}

/// A world in which all is well, and its first scrape. It scans once, and not again for a day.
async fn well(name: &str) -> (World, Operator, Scrape) {
    let world = World::new(name).await.with_args(&["--scan-interval", "24h"]);
    // There from the start, so that the one scan finds something to look for.
    world.create("a", &json!({"externalId": "a", "meta": {"n": 1}})).await;
    let operator = world.start().await;
    world.ready("a").await;
    let scanned = "unkey_operator_scans_total";
    eventually("a scan", async || {
        (operator.metrics().await.sum(scanned, &[("result", "complete")]) == 1).then_some(())
    })
    .await;
    let before = scrape(&operator).await;
    (world, operator, before)
}

async fn made(world: &World, name: &str) {
    world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
    world.ready(name).await;
}

async fn edit(world: &World, name: &str) {
    world.edit(name, &json!({"meta": {"n": 2}})).await;
}

#[tokio::test]
async fn nothing_fires_while_all_is_well_and_one_does_when_nobody_is_there() {
    let (world, operator, before) = well("alerts-well").await;
    edit(&world, "a").await;
    world.ready("a").await;
    assert_fires(&before, &scrape(&operator).await, &[]);
    assert_fires(&before, &Scrape::of_none(), &["UnkeyOperatorDown"]);
}

/// Where there is no Identity, a scan has nothing to look at, and is not overdue. The interval is one at which it would be if none ever ended:
/// three of them, five minutes and the quarter of an hour that the alert waits are over ten minutes before the end of what is played.
#[tokio::test]
async fn nothing_fires_where_there_is_no_identity() {
    let world = World::new("alerts-empty").await.with_args(&["--scan-interval", "50m"]);
    let operator = world.start().await;
    let scans = async || operator.metrics().await.sum("unkey_operator_scans_total", &[("result", "nothing")]);
    eventually("a scan", async || (scans().await == 1).then_some(())).await;
    let empty = scrape(&operator).await;
    assert_fires(&empty, &empty, &[]);
    let mut never = operator.metrics().await;
    let last = "unkey_operator_scan_last_complete_timestamp_seconds";
    never.samples.iter_mut().find(|sample| sample.name == last).unwrap().value = 0.0;
    assert_fires(&empty, &Scrape::of(vec![never]), &["UnkeyScanOverdue"]);
}

#[tokio::test]
async fn who_leads() {
    let (world, operator, before) = well("alerts-leaders").await;
    let pods = vec![operator.metrics().await, operator.metrics().await];
    assert_fires(&before, &Scrape::of(pods), &["UnkeyOperatorSeveralLeaders"]);
    assert!(operator.terminate().await.success());
    let lease = json!({"metadata": {"name": "unkey-operator"},
        "spec": {"holderIdentity": "a stranger", "leaseDurationSeconds": 3600}});
    let leases: Api<Lease> = Api::namespaced(world.client.clone(), &world.namespace);
    leases.create(&PostParams::default(), &serde_json::from_value(lease).unwrap()).await.unwrap();
    let mut args = world.args();
    args.extend(["--leader-elect", "--lease-namespace", &world.namespace].map(str::to_owned));
    let standby = world.start_as(&args, &[]).await;
    standby.until_logged("standing by").await;
    assert_fires(&before, &scrape(&standby).await, &["UnkeyOperatorNoLeader"]);
}

#[tokio::test]
async fn the_api_server_refuses_to_read() {
    let (world, proxy) = World::new("alerts-passes").await.behind_proxy().await;
    let operator = world.start().await;
    made(&world, "a").await;
    let before = scrape(&operator).await;
    // The look before the update (R11).
    proxy.order(KubeFault::new(KubeFaultKind::forbidden()).verb("get").on("identities"));
    edit(&world, "a").await;
    eventually("four passes to fail", async || {
        (operator.metrics().await.sum("unkey_operator_reconciles_total", &[("result", "error")]) >= 4).then_some(())
    })
    .await;
    let after = scrape(&operator).await;
    assert_fires(&before, &after, &["UnkeyIdentityOutOfStep", "UnkeyOperatorReconcilesFail"]);
}

/// The claim of one, which its status tells, and the status of another one.
#[tokio::test]
async fn the_api_server_refuses_to_write() {
    for subresource in ["", "status"] {
        let (world, proxy) = World::new("alerts-refused").await.behind_proxy().await;
        let operator = world.start().await;
        let before = scrape(&operator).await;
        let refused =
            KubeFault::new(KubeFaultKind::forbidden()).verb("patch").on("identities").subresource(subresource);
        let refused = proxy.order(refused);
        world.create("a", &json!({"externalId": "a"})).await;
        if subresource.is_empty() {
            world.reason("a", "WriteRefused").await;
        } else {
            world.event("a", "WriteRefused").await;
        }
        assert_fires(&before, &scrape(&operator).await, &["UnkeyIdentityOutOfStep", "UnkeyWriteRefused"]);
        proxy.clear_fault(refused);
        world.ready("a").await;
    }
}

#[tokio::test]
async fn unkey_does_not_answer_or_fails() {
    let (world, operator, before) = well("alerts-upstream").await;
    let held = world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(Operation::Update).once());
    edit(&world, "a").await;
    world.until_hit(held, 1).await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyIdentityOutOfStep"]);
    world.workspace.release(held);
    world.ready("a").await;

    let before = scrape(&operator).await;
    let failed = world.workspace.order(Fault::new(refusal(503, "unkey/application/unavailable", "later")));
    world.edit("a", &json!({"meta": {"n": 3}})).await;
    world.until_hit(failed, 2).await;
    world.reason("a", "UpstreamUnavailable").await;
    let after = scrape(&operator).await;
    assert_fires(&before, &after, &["UnkeyIdentityOutOfStep", "UnkeyUpstreamFailing"]);
}

#[tokio::test]
async fn unkey_says_too_many() {
    let (world, operator, before) = well("alerts-limit").await;
    let limited = world.workspace.order(Fault::new(FaultKind::TooMany { retry_after: Some("1".to_owned()) }));
    edit(&world, "a").await;
    world.until_hit(limited, 1).await;
    world.reason("a", "RateLimited").await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyIdentityOutOfStep", "UnkeyRateLimited"]);
}

#[tokio::test]
async fn the_root_key_is_refused_or_may_not_do_it() {
    let (world, operator, before) = well("alerts-key").await;
    world.workspace.add_root_key(super::harness::ROOT_KEY, Permissions { update: false, ..Permissions::ALL });
    edit(&world, "a").await;
    world.reason("a", "PermissionDenied").await;
    let after = scrape(&operator).await;
    assert_fires(&before, &after, &["UnkeyIdentityOutOfStep", "UnkeyPermissionMissing"]);
    drop(operator);

    let (world, operator, before) = well("alerts-refused").await;
    world.write_key("unkey_root_unheard_of");
    operator.until_logged("using another root key").await;
    edit(&world, "a").await;
    world.reason("a", "Unauthorized").await;
    let after = scrape(&operator).await;
    assert_fires(&before, &after, &["UnkeyIdentityOutOfStep", "UnkeyRootKeyRefused"]);
}

#[tokio::test]
async fn the_root_key_shows_nothing() {
    let (world, operator, before) = well("alerts-blind").await;
    world.workspace.set_mask_permissions(true);
    world.workspace.add_root_key(super::harness::ROOT_KEY, Permissions::NONE);
    world.delete("a").await;
    world.reason("a", "DeletionBlocked").await;
    let after = scrape(&operator).await;
    assert_fires(&before, &after, &["UnkeyAbsenceUnwitnessed", "UnkeyDeletionBlocked", "UnkeyIdentityOutOfStep"]);
}

#[tokio::test]
async fn the_root_key_is_of_another_workspace() {
    let (world, operator, before) = well("alerts-workspace").await;
    let elsewhere = world.emulator.workspace("elsewhere");
    elsewhere.add_root_key("unkey_root_elsewhere", Permissions::ALL);
    world.write_key("unkey_root_elsewhere");
    operator.until_logged("using another root key").await;
    edit(&world, "a").await;
    world.reason("a", "WorkspaceMismatch").await;
    let after = scrape(&operator).await;
    assert_fires(&before, &after, &["UnkeyIdentityOutOfStep", "UnkeyWorkspaceMismatch"]);
}

#[tokio::test]
async fn a_person_has_to_act() {
    let (world, operator, before) = well("alerts-stalled").await;
    world.seed("theirs", &json!({"meta": {"n": 9}}));
    world.create("theirs", &json!({"externalId": "theirs", "meta": {"n": 1}})).await;
    world.reason("theirs", "AlreadyExists").await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyIdentitiesStalled"]);
    world.delete("theirs").await;
    world.gone("theirs").await;
    world.create("theirs", &json!({"externalId": "theirs"})).await;
    world.ready("theirs").await;
    world.edit("theirs", &json!({"meta": {"n": 1}})).await;
    world.reason("theirs", "WouldLose").await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyIdentitiesStalled"]);
    world.delete("theirs").await;
    world.gone("theirs").await;
    world.edit("a", &json!({"suspend": true})).await;
    world.reason("a", "Suspended").await;
    world.delete("a").await;
    world.reason("a", "DeletionBlocked").await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyDeletionBlocked", "UnkeyIdentityOutOfStep"]);
}

#[tokio::test]
async fn what_happens_behind_its_back() {
    let (world, operator, before) = well("alerts-drift").await;
    world.mutate("a", &json!({"meta": {"not": "ours"}}));
    world.request_reconcile("a", "1").await;
    world.event("a", "DriftCorrected").await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyDriftKeepsComing"]);

    let before = scrape(&operator).await;
    operator.signal("STOP");
    world.patch("a", &json!({"metadata": {"finalizers": null}})).await;
    world.delete("a").await;
    operator.signal("CONT");
    operator.until_logged("is gone without its finalizer").await;
    assert_fires_once(&before, &scrape(&operator).await, &["UnkeyIdentityLeftBehind"]);
}

#[tokio::test]
async fn the_scan_fails_or_misses_most() {
    let (world, operator, before) = well("alerts-scan").await;
    for name in ["b", "c", "d", "e"] {
        made(&world, name).await;
    }
    assert!(operator.terminate().await.success());
    for name in ["a", "b", "c", "d"] {
        assert!(world.workspace.delete(name));
    }
    let operator = world.start().await;
    operator.until_logged("far fewer identities than are recorded").await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyRecreationWithheld"]);
    assert!(operator.terminate().await.success());

    let fault = Fault::new(refusal(403, "unkey/authorization/insufficient_permissions", "no")).on(Operation::List);
    world.workspace.order(fault);
    let world = world.with_args(&["--scan-interval", "1s"]);
    let operator = world.start().await;
    let refused = "unkey_operator_upstream_operation_refused";
    eventually("lists to be refused", async || {
        (operator.metrics().await.sum(refused, &[("operation", "list")]) == 1).then_some(())
    })
    .await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyPermissionMissing", "UnkeyScanOverdue"]);
}

#[tokio::test]
async fn a_namespace_cannot_be_watched() {
    let (world, proxy) = World::new("alerts-watch").await.behind_proxy().await;
    let operator = world.start().await;
    made(&world, "a").await;
    let before = scrape(&operator).await;
    proxy.order(KubeFault::new(KubeFaultKind::forbidden()).verb("watch").on("identities"));
    proxy.end_watches(Ending::Cut);
    operator.until_readyz(200, "is not watched: ").await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyNamespaceNotWatched"]);
}

#[tokio::test]
async fn the_definition_is_older() {
    let world = World::alone("alerts-definition").await;
    let operator = world.start().await;
    let before = scrape(&operator).await;
    assert!(operator.terminate().await.success());
    super::outdated::define(&world, &[("status", "uid")]).await;
    let operator = world.start().await;
    operator.until_readyz(503, "status.uid").await;
    assert_fires(&before, &scrape(&operator).await, &["UnkeyDefinitionOutdated"]);
}

/// A panic cannot be brought about from outside: the series of one is there, and its figure is made up. The first of a process is reported
/// though no other follows.
#[tokio::test]
async fn a_panic_is_reported() {
    let (_world, operator, before) = well("alerts-panic").await;
    let mut after = operator.metrics().await;
    let is_it =
        |sample: &&mut Sample| sample.name == "unkey_operator_reconciles_total" && sample.labels["result"] == "panic";
    let panics = after.samples.iter_mut().find(is_it).expect("it is there before the first");
    assert!(panics.value <= 0.0, "{panics:?}");
    panics.value = 1.0;
    assert_fires_once(&before, &Scrape::of(vec![after]), &["UnkeyOperatorPanics"]);
}

/// The same of an object that was forgotten: none ever is, as far as anybody knows.
#[tokio::test]
async fn a_forgotten_object_is_reported() {
    let (_world, operator, before) = well("alerts-forgotten").await;
    let mut after = operator.metrics().await;
    let rescues = after.samples.iter_mut().find(|sample| sample.name == "unkey_operator_rescues_total");
    let rescues = rescues.expect("it is there before the first");
    assert!(rescues.value <= 0.0, "{rescues:?}");
    rescues.value = 1.0;
    assert_fires_once(&before, &Scrape::of(vec![after]), &["UnkeyIdentityForgotten"]);
}

/// What this file shows to fire is all that there is, promtool finds no fault with it, and the runbook has a section for each.
#[test]
fn every_alert_is_sound_shown_to_fire_and_explained() {
    let output = promtool()
        .args(["check", "rules", "--lint=all", "--lint-fatal"])
        .arg(chart_file("alerts.yaml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let runbook = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations/runbook.md")).unwrap();
    let rules = rules();
    let alerts: BTreeSet<&str> = rules.iter().map(|rule| text(rule, "alert")).collect();
    for rule in &rules {
        let alert = text(rule, "alert");
        assert!(runbook.contains(&format!("\n## {alert}\n\n**Means**")), "{alert} has no section");
        assert_eq!(
            text(rule, "annotations.runbook_url"),
            format!("docs/operations/runbook.md#{}", alert.to_lowercase())
        );
        let played = [include_str!("alerts.rs"), include_str!("alerts/deletions.rs")];
        let fires = played.iter().any(|text| text.contains(&format!("\"{alert}\"")));
        assert!(fires, "{alert} is not shown to fire");
        assert!(["critical", "warning"].contains(&text(rule, "labels.severity")), "{alert}");
    }
    let sections = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect::<BTreeSet<_>>();
    assert_eq!(sections, alerts, "no section is left over");
}

/// Every query of alerts and dashboard names a metric that is there, and labels that it has.
#[tokio::test]
async fn every_query_names_what_is_there() {
    let (world, operator, _) = well("alerts-queries").await;
    // What appears with the first of its kind.
    world.mutate("a", &json!({"meta": {"not": "ours"}}));
    let fast = world.with_args(&["--scan-interval", "1s", "--max-concurrent-requests", "1"]);
    assert!(operator.terminate().await.success());
    let operator = fast.start().await;
    fast.event("a", "DriftCorrected").await;
    // Somebody has to wait.
    for name in ["b", "c", "d"] {
        fast.create(name, &json!({"externalId": name})).await;
    }
    for name in ["b", "c", "d"] {
        fast.ready(name).await;
    }
    let waited = "unkey_operator_queue_duration_seconds_count";
    eventually("one to have waited", async || (operator.metrics().await.sum(waited, &[]) > 0).then_some(())).await;
    let metrics = operator.metrics().await;
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(chart_file("dashboard.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let queries: Vec<String> = targets
        .map(|target| text(&target, "expr").to_owned())
        .chain(rules().iter().map(|rule| text(rule, "expr").to_owned()))
        .collect();
    assert!(queries.len() > 40, "{}", queries.len());
    let names: BTreeSet<&str> = metrics.samples.iter().map(|sample| sample.name.as_str()).collect();
    let mut labels = metrics.label_names();
    // Prometheus itself adds the others.
    labels.extend(["namespace", "job"]);
    let mut shown = BTreeSet::new();
    for query in &queries {
        let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
        for word in query.split(|c| !is_inside(c)).filter(|word| word.starts_with("unkey_operator_")) {
            assert!(names.contains(word), "{word} in: {query}");
            shown.insert(word.to_owned());
        }
        for list in query.split(" by (").skip(1) {
            for label in list.split(')').next().unwrap().split(',') {
                assert!(labels.contains(label.trim()), "{label} in: {query}");
            }
        }
        let label_of = |text: &str| text.rsplit(|c| !is_inside(c)).next().unwrap_or_default().to_owned();
        for matcher in query.split(['{', '}']).skip(1).step_by(2).flat_map(|all| all.split("\",")) {
            let label = label_of(matcher.split(['=', '!']).next().unwrap());
            assert!(labels.contains(label.as_str()), "{label} in: {query}");
        }
    }
    let family = |name: &str| {
        ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    };
    let all: BTreeSet<String> = names.iter().map(|name| family(name)).collect();
    let shown: BTreeSet<String> = shown.iter().map(|name| family(name)).collect();
    assert_eq!(all.difference(&shown).collect::<Vec<_>>(), Vec::<&String>::new(), "nobody looks at these");
}
