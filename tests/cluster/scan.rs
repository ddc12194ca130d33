//! The scan finds what changed behind the operator's back, and costs next to nothing where nothing did (R9, R12, R13; design: the scan).

use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::harness::{Cost, Operator, World, condition, eventually};

/// A world whose operator scans all the time.
async fn scanning(name: &str) -> World {
    World::in_order(name).await.with_args(&["--scan-interval", "300ms"])
}

impl World {
    /// Waits until a scan that began after this call has gone through to its end.
    pub(super) async fn scanned(&self, operator: &Operator) {
        let done = || operator.log().matches("scanned the workspace").count();
        // One may be under way.
        let enough = done() + 2;
        eventually("a whole scan", async || (done() >= enough).then_some(())).await;
    }

    fn lists(&self) -> u64 {
        self.calls()[4]
    }
}

#[tokio::test]
async fn drift_of_each_field_is_found_and_corrected() {
    let world = scanning("scan-drift").await;
    let operator = world.start().await;
    let limits = json!([{"name": "calls", "limit": 10, "duration": 1000, "autoApply": false}]);
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}, "ratelimits": limits})).await;
    world.create("y", &json!({"externalId": "y", "meta": {"a": 1}})).await;
    let ready = condition(&world.ready("x").await, "Ready");
    world.ready("y").await;
    for theirs in [
        json!({"meta": {"a": 2}}),
        json!({"meta": {}}),
        json!({"ratelimits": []}),
        json!({"ratelimits": [{"name": "calls", "limit": 11, "duration": 1000}]}),
        json!({"ratelimits": [{"name": "calls", "limit": 10, "duration": 2000}]}),
        json!({"ratelimits": [{"name": "calls", "limit": 10, "duration": 1000, "autoApply": true}]}),
        json!({"meta": {"b": 1}, "ratelimits": [{"name": "theirs", "limit": 1, "duration": 1000}]}),
    ] {
        let before = world.cost_so_far("x").await;
        world.mutate("x", &theirs);
        eventually(&format!("{theirs} to be set right"), async || {
            let now = world.upstream("x");
            (now["meta"] == json!({"a": 1}) && now["ratelimits"] == limits).then_some(())
        })
        .await;
        world.scanned(&operator).await;
        let cost = world.cost_since("x", before).await;
        // A look of its own, an uncached read of the object, one update. Ready held all the time, so no status is written.
        assert_eq!(cost, Cost { reads: 1, gets: 1, updates: 1, ..Cost::NOTHING }, "{theirs}");
        assert_eq!(condition(&world.get("x").await.unwrap(), "Ready"), ready, "{theirs}");
    }
    let id = world.upstream("x")["id"].clone();
    let told = world.event("x", "DriftCorrected").await;
    assert!(told.kind == "Normal" && told.note.contains(id.as_str().unwrap()), "{told:?}");
    // What is not managed is nobody's drift.
    let before = world.cost_so_far("y").await;
    world.mutate("y", &json!({"ratelimits": limits}));
    world.scanned(&operator).await;
    assert_eq!(world.cost_since("y", before).await, Cost::NOTHING);
    assert_eq!(world.upstream("y")["ratelimits"], limits);
    let metrics = operator.metrics().await;
    assert_eq!(metrics.sum("unkey_operator_scan_findings_total", &[("finding", "drift")]), 7);
}

/// R9: the scan's own look counts as one of the two that it takes.
#[tokio::test]
async fn vanished_is_found_and_created_again() {
    let world = scanning("scan-vanished").await;
    let operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}})).await;
    let old = world.ready("x").await["status"]["identityId"].clone();
    let before = world.cost_so_far("x").await;
    assert!(world.workspace.delete("x"));
    let again = |it: &Value| it["status"]["identityId"] != old && condition(it, "Ready")["status"] == "True";
    let object = world.until("x", "made again", again).await;
    assert_eq!(object["status"]["identityId"], world.upstream("x")["id"]);
    assert_eq!(world.upstream("x")["meta"], json!({"a": 1}));
    world.event("x", "Recreated").await;
    world.scanned(&operator).await;
    let cost = world.cost_since("x", before).await;
    assert_eq!((cost.creates, cost.gets, cost.updates, cost.main), (1, 1, 0, 1), "{cost:?}");
}

/// S23: the scan sees another identity under the externalId; R3's verdict, by policy.
#[tokio::test]
async fn replaced_is_found_and_judged_by_policy() {
    let world = scanning("scan-replaced").await;
    let _operator = world.start().await;
    world.create("equal", &json!({"externalId": "equal", "meta": {"a": 1}})).await;
    world.create("other", &json!({"externalId": "other", "meta": {"a": 1}})).await;
    world.ready("equal").await;
    world.ready("other").await;
    assert!(world.workspace.delete("equal") && world.workspace.delete("other"));
    let id = world.seed("equal", &json!({"meta": {"a": 1}}));
    world.seed("other", &json!({"meta": {"theirs": 1}}));
    let took = |it: &Value| it["status"]["identityId"] == id.as_str() && condition(it, "Ready")["status"] == "True";
    world.until("equal", "taken over", took).await;
    world.event("equal", "IdentityReplaced").await;
    world.reason("other", "AlreadyExists").await;
    assert_eq!(world.upstream("other")["meta"], json!({"theirs": 1}));
}

/// R13: a stall over what Unkey holds is judged anew when that has changed, and only then.
#[tokio::test]
async fn a_refusal_is_judged_anew_when_its_ground_is_gone() {
    let world = scanning("scan-refused").await;
    let operator = world.start().await;
    for name in ["goes", "fits", "stays"] {
        world.seed(name, &json!({"meta": {"theirs": 1}}));
        world.create(name, &json!({"externalId": name, "meta": {"a": 1}})).await;
    }
    for name in ["goes", "fits", "stays"] {
        world.reason(name, "AlreadyExists").await;
    }
    let before = world.cost_so_far("stays").await;
    world.scanned(&operator).await;
    assert!(world.workspace.delete("goes"));
    world.mutate("fits", &json!({"meta": {"a": 1}}));
    assert_eq!(world.ready("goes").await["status"]["origin"], "Created");
    assert_eq!(world.ready("fits").await["status"]["origin"], "Adopted");
    world.scanned(&operator).await;
    assert_eq!(world.cost_since("stays", before).await, Cost::NOTHING);
}

/// A server that ignores case answers with somebody else's. As long as that one is there, nothing is new.
#[tokio::test]
async fn a_mismatch_is_judged_anew_when_the_other_one_is_gone() {
    let world = scanning("scan-mismatch").await;
    let operator = world.start().await;
    let id = world.seed("mixed", &json!({}));
    let data = json!({"id": id, "externalId": "mixed"});
    let body = json!({"meta": {"requestId": "req_1"}, "data": data}).to_string();
    let answer = FaultKind::status(200, "application/json", &body);
    let fault = world.workspace.order(Fault::new(answer).on(Operation::Get).of("Mixed"));
    world.create("mixed", &json!({"externalId": "Mixed", "adoptionPolicy": "Never"})).await;
    world.reason("mixed", "IdentityMismatch").await;
    world.scanned(&operator).await;
    let calls = world.calls();
    world.scanned(&operator).await;
    assert_eq!(world.calls()[..4], calls[..4], "it would be answered the same");
    world.workspace.clear_fault(fault);
    assert!(world.workspace.delete("mixed"));
    world.ready("mixed").await;
}

/// R12: what is as it should be costs a page for each hundred, and nothing else; after a restart too.
#[tokio::test]
async fn nothing_found_costs_the_pages_alone() {
    let world = World::new("scan-quiet").await.with_args(&["--scan-interval", "300ms"]);
    let operator = world.start().await;
    let names: Vec<String> = (0..250).map(|at| format!("x{at}")).collect();
    for name in &names {
        world.create(name, &json!({"externalId": name, "meta": {"a": 1}})).await;
    }
    for name in &names {
        world.ready(name).await;
    }
    world.assert_in_step().await;
    let mut operator = Some(operator);
    for _restart in 0..2 {
        let operator = match operator.take() {
            Some(operator) => operator,
            None => world.start().await,
        };
        world.scanned(&operator).await;
        let (writes, calls) = (world.kube_writes(), world.calls());
        let scans = operator.metrics().await;
        world.scanned(&operator).await;
        world.patch("x7", &json!({"metadata": {"labels": {"team": "a"}}})).await;
        world.scanned(&operator).await;
        let after = operator.metrics().await;
        let grew = |name: &str| after.sum(name, &[]) - scans.sum(name, &[]);
        assert!(grew("unkey_operator_scans_total") >= 3);
        // Three pages each; one may be under way at either end.
        let pages = 3 * grew("unkey_operator_scans_total");
        assert!(grew("unkey_operator_scan_pages_total").abs_diff(pages) <= 3);
        assert_eq!(after.sum("unkey_operator_scan_findings_total", &[]), 0);
        assert_eq!(after.sum("unkey_operator_scan_recorded_identities", &[]), 250);
        assert_eq!(after.sum("unkey_operator_scan_missing_identities", &[]), 0);
        assert_eq!(world.calls()[..4], calls[..4], "no call but the scan's own");
        assert_eq!(world.kube_writes(), writes);
        assert!(operator.terminate().await.success());
    }
}

#[tokio::test]
async fn an_interval_of_zero_means_none_and_so_does_an_empty_cluster() {
    let world = World::in_order("scan-none").await.with_args(&["--scan-interval", "0"]);
    let operator = world.start().await;
    world.create("x", &json!({"externalId": "x"})).await;
    world.ready("x").await;
    world.barrier().await;
    world.barrier().await;
    assert_eq!(world.lists(), 0);
    drop(operator);

    let world = scanning("scan-empty").await;
    world.seed("theirs", &json!({}));
    let operator = world.start().await;
    // Nothing of it could be news.
    world.create("s", &json!({"externalId": "s", "suspend": true})).await;
    world.reason("s", "Suspended").await;
    eventually("three scans", async || {
        let scans = operator.metrics().await.sum("unkey_operator_scans_total", &[("result", "nothing")]);
        (scans >= 3).then_some(())
    })
    .await;
    assert_eq!(world.calls(), [0; 5]);
}

/// A scan that hangs holds nobody up.
#[tokio::test]
async fn a_new_object_does_not_wait_for_a_scan() {
    let world = scanning("scan-stuck").await.with_args(&["--request-timeout", "60s"]);
    let _operator = world.start().await;
    world.create("x", &json!({"externalId": "x"})).await;
    world.ready("x").await;
    let stuck = world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(Operation::List));
    world.until_hit(stuck, 1).await;
    world.create("y", &json!({"externalId": "y"})).await;
    world.ready("y").await;
    assert_eq!(world.workspace.faults()[0].hits, 1, "one call at a time");
    world.workspace.clear_fault(stuck);
}

/// S6: a page that was read before an update landed is compared after it.
#[tokio::test]
async fn s6_a_page_older_than_an_update_is_no_drift() {
    let world = scanning("scan-s6").await.with_args(&["--request-timeout", "60s"]);
    let operator = world.start().await;
    world.create("x", &json!({"externalId": "x", "meta": {"a": 1}})).await;
    world.ready("x").await;
    world.scanned(&operator).await;
    let stuck = world.workspace.order(Fault::new(FaultKind::HoldAnswer).on(Operation::List).once());
    world.until_hit(stuck, 1).await;
    let before = world.cost_so_far("x").await;
    world.edit("x", &json!({"meta": {"a": 2}})).await;
    world.ready("x").await;
    world.barrier().await;
    world.workspace.release(stuck);
    world.scanned(&operator).await;
    assert_eq!(world.cost_since("x", before).await, Cost::UPDATE, "one update and no read");
    assert_eq!(world.upstream("x")["meta"], json!({"a": 2}));
}
