//! The scan in a workspace that does not answer, that answers too much, that is far larger than ours, or that changes meanwhile
//! (S28; R9, R15; design: the scan).

use serde_json::json;
use unkey_emulator::{Fault, FaultKind, Operation, Permissions};

use super::harness::{Cost, Operator, ROOT_KEY, World, condition, eventually};

pub async fn scanning(name: &str) -> World {
    World::new(name).await.with_args(&["--scan-interval", "300ms"])
}

/// Identities of these names, all ready.
pub async fn made(world: &World, names: &[String]) {
    for name in names {
        world.create(name, &json!({"externalId": name, "meta": {"a": 1}})).await;
    }
    for name in names {
        world.ready(name).await;
    }
}

pub fn numbered(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{name}{at}")).collect()
}

/// Waits until scans have ended so, that often from now on.
pub async fn scans_end(operator: &Operator, result: &str, times: u64) {
    let ended = async || operator.metrics().await.sum("unkey_operator_scans_total", &[("result", result)]);
    let enough = ended().await + times;
    eventually(&format!("{times} scans to end as {result}"), async || (ended().await >= enough).then_some(())).await;
}

/// Another client changes it; waits until the scan has set it right.
pub async fn drift_is_corrected(world: &World, name: &str) {
    world.mutate(name, &json!({"meta": {"theirs": 1}}));
    eventually(&format!("{name} to be set right"), async || {
        (world.upstream(name)["meta"] == json!({"a": 1})).then_some(())
    })
    .await;
}

pub fn list_fault(kind: FaultKind) -> Fault {
    Fault::new(kind).on(Operation::List)
}

/// S28: a large meta turns the list of the whole workspace into a 500. What is ours is asked for one by one.
#[tokio::test]
async fn s28_one_large_meta_blinds_nobody() {
    let world = scanning("scan-large").await;
    let operator = world.start().await;
    // The oldest are the likeliest witnesses (R19).
    made(&world, &numbered("old", 1)).await;
    world.next_second().await;
    made(&world, &numbered("x", 4)).await;
    let large = "x".repeat(300_000);
    world.seed("theirs", &json!({"meta": {"large": large}}));
    scans_end(&operator, "complete", 1).await;
    let (calls, before) = (world.calls(), operator.metrics().await);
    scans_end(&operator, "complete", 2).await;
    let now = world.calls();
    let scans =
        operator.metrics().await.sum("unkey_operator_scans_total", &[]) - before.sum("unkey_operator_scans_total", &[]);
    let asked = now.iter().sum::<u64>() - calls.iter().sum::<u64>();
    assert!(asked <= (scans + 1) * 2 * 5, "{asked} calls in {scans} scans");
    assert_eq!((now[0], now[2], now[3]), (5, 0, 0), "quiet");
    drift_is_corrected(&world, "x2").await;
    world.event("x2", "DriftCorrected").await;
    // Gone is gone, also without a list, and whichever of them it is.
    for name in ["old0", "x3"] {
        assert!(world.workspace.delete(name));
        world.event(name, "Recreated").await;
        world.ready(name).await;
    }
    // And the large one may be ours.
    world.create("large", &json!({"externalId": "large", "meta": {"large": large}})).await;
    world.ready("large").await;
    world.mutate("large", &json!({"meta": {}}));
    world.event("large", "DriftCorrected").await;
    assert!(!operator.log().contains(" ERROR "), "nobody has to act");
}

/// One of ours cannot be read, nor can the list: what is gone is made again all the same, and no such scan counts as complete.
#[tokio::test]
async fn one_that_cannot_be_read_keeps_nobody_from_being_made_again() {
    let world = scanning("scan-unreadable").await;
    let operator = world.start().await;
    made(&world, &numbered("old", 1)).await;
    world.next_second().await;
    made(&world, &numbered("x", 4)).await;
    world.workspace.order(list_fault(FaultKind::internal_error()));
    world.workspace.order(Fault::new(FaultKind::internal_error()).on(Operation::Get).of("old0"));
    scans_end(&operator, "failed", 1).await;
    let complete = async || operator.metrics().await.sum("unkey_operator_scans_total", &[("result", "complete")]);
    let before = complete().await;
    assert!(world.workspace.delete("x3"));
    world.event("x3", "Recreated").await;
    world.ready("x3").await;
    scans_end(&operator, "failed", 1).await;
    assert_eq!(complete().await, before, "nobody knows of the one");
}

/// A hundred of them are more than is read of one answer.
#[tokio::test]
async fn pages_too_large_to_read_are_asked_for_in_parts() {
    let world = scanning("scan-huge").await;
    let operator = world.start().await;
    let names = numbered("x", 20);
    made(&world, &names).await;
    let meta = json!({"meta": {"large": "x".repeat(200_000)}});
    for name in numbered("theirs", 100) {
        world.seed(&name, &meta);
    }
    let gets = world.calls()[1];
    scans_end(&operator, "complete", 2).await;
    assert_eq!(world.calls()[1], gets, "smaller pages are enough");
    drift_is_corrected(&world, "x7").await;
}

#[tokio::test]
async fn cursors_that_lead_in_circles() {
    let world = scanning("scan-cursors").await;
    let operator = world.start().await;
    made(&world, &numbered("x", 5)).await;
    let page = |cursor: &str| {
        let pagination = json!({"hasMore": true, "cursor": cursor});
        let body = json!({"meta": {"requestId": "req_1"}, "data": [], "pagination": pagination});
        FaultKind::status(200, "application/json", &body.to_string())
    };
    // The same one for ever; and one of two in turn.
    for cursors in [vec!["id_a"], vec!["id_a", "id_b"]] {
        for _round in 0..30 {
            for cursor in &cursors {
                world.workspace.order(list_fault(page(cursor)).once());
            }
        }
        drift_is_corrected(&world, "x1").await;
        world.workspace.clear_faults();
    }
    scans_end(&operator, "complete", 1).await;
    let metrics = operator.metrics().await;
    assert_eq!(metrics.sum("unkey_operator_scan_findings_total", &[("finding", "missing")]), 0);
    assert_eq!(world.calls()[0], 5);
}

/// What comes and goes between two pages is not missing.
#[tokio::test]
async fn insertions_and_deletions_between_two_pages() {
    let world = scanning("scan-between").await.with_args(&["--request-timeout", "60s"]);
    let operator = world.start().await;
    let names = numbered("x", 120);
    made(&world, &names).await;
    scans_end(&operator, "complete", 1).await;
    let second = world.workspace.order(list_fault(FaultKind::Hold).after(1).once());
    world.until_hit(second, 1).await;
    let new = numbered("new", 10);
    made(&world, &new).await;
    for name in numbered("theirs", 30) {
        world.seed(&name, &json!({}));
    }
    for name in &names[..10] {
        world.delete(name).await;
        world.gone(name).await;
    }
    world.workspace.release(second);
    scans_end(&operator, "complete", 2).await;
    let metrics = operator.metrics().await;
    assert_eq!(metrics.sum("unkey_operator_scan_findings_total", &[]), 0);
    assert_eq!(metrics.sum("unkey_operator_scan_recorded_identities", &[]), 120);
    let log = operator.log();
    let missed = log.lines().find(|line| line.contains("scanned the workspace") && !line.contains(" missing=0 "));
    assert_eq!(missed, None, "what is new, or was written to, is not missing");
    assert_eq!(world.calls()[0], 130, "nothing was made anew");
    assert_eq!(world.calls()[1], 0);
}

/// Far too many at once: more likely the wrong workspace than the truth.
#[tokio::test]
async fn a_mass_that_vanishes_is_not_believed() {
    let world = scanning("scan-mass").await;
    let operator = world.start().await;
    let names = numbered("x", 10);
    made(&world, &names).await;
    scans_end(&operator, "complete", 1).await;
    // No scan sees the first of them gone and not yet the others: so few would be believed.
    operator.signal("STOP");
    for name in &names[..4] {
        assert!(world.workspace.delete(name));
    }
    operator.signal("CONT");
    operator.until_logged("far fewer identities than are recorded").await;
    scans_end(&operator, "complete", 2).await;
    let metrics = operator.metrics().await;
    assert_eq!(metrics.sum("unkey_operator_scan_recreation_withheld", &[]), 1);
    assert_eq!(metrics.sum("unkey_operator_scan_missing_identities", &[]), 4);
    assert_eq!(metrics.sum("unkey_operator_scan_findings_total", &[]), 0);
    assert_eq!(world.calls()[..4], [10, 0, 0, 0], "nothing was made anew");
    // Drift of the others is found all the same.
    drift_is_corrected(&world, "x9").await;
    // One is made again by hand; three are few enough.
    world.ask_for_check("x0", "1").await;
    world.event("x0", "Recreated").await;
    for name in &names[1..4] {
        world.event(name, "Recreated").await;
    }
    for name in &names {
        world.ready(name).await;
    }
    world.assert_in_step().await;
    scans_end(&operator, "complete", 2).await;
    assert_eq!(operator.metrics().await.sum("unkey_operator_scan_recreation_withheld", &[]), 0);
}

/// The guard counts on what is known: the one that cannot be read is neither there nor missing.
#[tokio::test]
async fn a_mass_is_not_believed_either_where_one_cannot_be_read() {
    let world = scanning("scan-mass-unreadable").await;
    let operator = world.start().await;
    made(&world, &numbered("old", 1)).await;
    world.next_second().await;
    let names = numbered("x", 10);
    made(&world, &names).await;
    world.workspace.order(Fault::new(FaultKind::internal_error()).on(Operation::Get).of("old0"));
    // What was made a moment ago is not asked for yet.
    let blind = world.workspace.order(list_fault(FaultKind::internal_error()));
    operator.until_logged("pages=0 gets=11 findings=0").await;
    // No scan may ask for some of them before they are gone, and for the others after.
    world.workspace.clear_fault(blind);
    let held = world.workspace.order(list_fault(FaultKind::Hold).once());
    world.until_hit(held, 1).await;
    for name in &names[..4] {
        assert!(world.workspace.delete(name));
    }
    world.workspace.order(list_fault(FaultKind::internal_error()));
    world.workspace.release(held);
    scans_end(&operator, "failed", 2).await;
    let metrics = operator.metrics().await;
    let shown = |name: &str| metrics.sum(&format!("unkey_operator_scan_{name}"), &[]);
    assert_eq!(
        [shown("recreation_withheld"), shown("missing_identities"), shown("recorded_identities")],
        [1, 4, 10],
        "of 11 one is not known"
    );
    assert_eq!(shown("findings_total"), 0);
    assert_eq!(world.calls()[0], 11, "nothing was made anew");
}

/// However many others there are: at most two calls for each of ours.
#[tokio::test]
async fn a_workspace_of_others_costs_two_calls_for_each_of_ours() {
    let world = scanning("scan-mixed").await;
    let operator = world.start().await;
    for name in numbered("theirs", 2_000) {
        world.seed(&name, &json!({"meta": {"b": 1}}));
    }
    made(&world, &numbered("x", 3)).await;
    // They hold identities too, and are not asked for.
    made(&world, &numbered("suspended", 7)).await;
    for name in numbered("suspended", 7) {
        world.edit(&name, &json!({"suspend": true})).await;
        world.reason(&name, "Suspended").await;
    }
    scans_end(&operator, "complete", 1).await;
    let (calls, before) = (world.calls(), operator.metrics().await);
    scans_end(&operator, "complete", 3).await;
    let scans =
        operator.metrics().await.sum("unkey_operator_scans_total", &[]) - before.sum("unkey_operator_scans_total", &[]);
    let asked = world.calls().iter().sum::<u64>() - calls.iter().sum::<u64>();
    assert!(asked <= (scans + 1) * 2 * 3, "{asked} calls in {scans} scans");
    assert!(world.calls()[1] > 0, "the pages do not reach all of ours");
    for name in numbered("x", 3) {
        drift_is_corrected(&world, &name).await;
    }
    assert_eq!(operator.metrics().await.sum("unkey_operator_scan_missing_identities", &[]), 0);
    assert!(world.workspace.delete("x1"));
    world.event("x1", "Recreated").await;
}

/// Whatever keeps the scan from its end is its own trouble: no status changes, and it goes on by itself.
#[tokio::test]
async fn what_the_scan_suffers_shows_in_no_status() {
    let world = scanning("scan-suffers").await;
    let operator = world.start().await;
    made(&world, &numbered("x", 3)).await;
    let writes = world.kube_writes();
    let forbidden = Permissions { read: false, ..Permissions::ALL };
    let cases = [
        ("failed", "the connection to Unkey broke", Some(FaultKind::DropBefore)),
        ("failed", "Unkey answered 500", Some(FaultKind::internal_error())),
        ("refused", "HTTP 404", Some(FaultKind::not_found_text())),
        ("refused", "read_identity", None),
    ];
    for (result, says, fault) in cases {
        match fault {
            Some(kind) => assert!(world.workspace.order(Fault::new(kind)) > 0),
            None => world.workspace.add_root_key(ROOT_KEY, forbidden),
        }
        scans_end(&operator, result, 2).await;
        let warned = |line: &&str| line.contains(" WARN the scan of the workspace") && line.contains(says);
        assert_eq!(operator.log().lines().filter(warned).count(), 1, "{says}: told once");
        world.workspace.clear_faults();
        world.workspace.add_root_key(ROOT_KEY, Permissions::ALL);
        scans_end(&operator, "complete", 1).await;
    }
    assert_eq!(world.kube_writes(), writes);
    drift_is_corrected(&world, "x0").await;
}

#[tokio::test]
async fn too_many_requests_pause_the_scan_alone() {
    let world = scanning("scan-429").await;
    let operator = world.start().await;
    made(&world, &numbered("x", 3)).await;
    let limited = FaultKind::TooMany { retry_after: Some("2".to_owned()) };
    let fault = world.workspace.order(list_fault(limited).times(2));
    world.until_hit(fault, 2).await;
    // While it waits, all else goes on.
    made(&world, &["y".to_owned()]).await;
    drift_is_corrected(&world, "x1").await;
    let lists: Vec<_> =
        world.workspace.requests().into_iter().filter(|entry| entry.operation == Operation::List).collect();
    for pair in lists.windows(2).filter(|pair| pair[0].answered == Some(429)) {
        assert!(pair[1].at_ms >= pair[0].at_ms + 2_000, "{pair:?}");
    }
    assert_eq!(operator.metrics().await.sum("unkey_operator_scans_total", &[("result", "failed")]), 0);
}

#[tokio::test]
async fn a_signal_ends_a_scan_at_once() {
    let world = scanning("scan-signal").await.with_args(&["--request-timeout", "60s"]);
    let mut operator = world.start().await;
    made(&world, &numbered("x", 1)).await;
    let held = world.workspace.order(list_fault(FaultKind::HoldAnswer));
    world.until_hit(held, 1).await;
    operator.signal("TERM");
    assert!(operator.ended().await.success());
}

/// A mass of findings is worked on a few at a time: a new object does not queue behind it.
#[tokio::test]
async fn a_mass_of_drift_leaves_room_for_others() {
    let world = scanning("scan-drifts").await.with_args(&["--request-timeout", "60s"]);
    let operator = world.start().await;
    let names = numbered("x", 60);
    made(&world, &names).await;
    scans_end(&operator, "complete", 1).await;
    let held = world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Update));
    for name in &names {
        world.mutate(name, &json!({"meta": {"theirs": 1}}));
    }
    world.until_hit(held, 4).await;
    made(&world, &["new".to_owned()]).await;
    world.edit("new", &json!({"suspend": true})).await;
    world.reason("new", "Suspended").await;
    assert_eq!(world.calls()[2], 4, "of 32 workers");
    world.workspace.clear_fault(held);
    eventually("all to be set right", async || {
        names.iter().all(|name| world.upstream(name)["meta"] == json!({"a": 1})).then_some(())
    })
    .await;
    assert_eq!(world.calls()[2], 60, "one update each");
    for name in &names {
        assert_eq!(condition(&world.get(name).await.unwrap(), "Ready")["status"], "True", "{name}");
        assert_eq!(world.cost(name).status, Cost::CREATE.status, "Ready held all the time");
    }
}
