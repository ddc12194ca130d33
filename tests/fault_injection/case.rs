//! One case from the empty namespace to its verdict.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use unkey_emulator::Operation;

use crate::harness::condition;
use crate::name::Case;
use crate::stage::{Mark, Stage};
use crate::workflow::{
    BYSTANDER, THEIRS, Workflow, is_held, is_loser, is_observed, is_ready, is_stopped, listed_limits, objects,
};

/// What a case came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Creates, updates and deletes that Unkey accepted since the user acted.
    pub accepted: [u64; 3],
    /// Requests since the last fault that struck, or since the user acted.
    pub kube: Vec<String>,
    pub unkey: Vec<String>,
    /// What the objects that are left say: reason and origin.
    pub end: Vec<String>,
    /// Faults that struck.
    pub strikes: usize,
    pub took: Duration,
}

/// Plays a case; panics if an invariant does not hold.
pub async fn play(case: &Case) -> Outcome {
    let started = Instant::now();
    let (stage, workflow) = (Stage::new(case.workflow).await, case.workflow);
    if workflow.begins_stopped() {
        workflow.prepare(&stage.world).await;
    } else {
        stage.start();
        stage.up().await;
        workflow.prepare(&stage.world).await;
        stage.quiet(None).await;
    }
    let begin = stage.mark();
    let strikes = Mutex::new(Vec::new());
    let body = async {
        if workflow.begins_stopped() {
            stage.start();
        }
        workflow.act(&stage.world).await;
        stage.quiet(Some(workflow)).await;
    };
    tokio::select! {
        () = body => {}
        () = async { stage.harm(&case.cuts, &strikes).await; std::future::pending().await } => {}
    }
    let strikes: Vec<Mark> = strikes.into_inner().unwrap_or_else(PoisonError::into_inner);
    check(&stage, workflow).await;
    let (kube, unkey) = stage.asked_since(strikes.last().copied().unwrap_or(begin));
    Outcome {
        accepted: accepted(&stage, begin),
        kube: kube.iter().map(|it| it.asked.to_string()).collect(),
        unkey: unkey.iter().map(|it| format!("{:?}", it.operation)).collect(),
        end: end(&objects(&stage.world).await),
        strikes: strikes.len(),
        took: started.elapsed(),
    }
}

fn accepted(stage: &Stage, begin: Mark) -> [u64; 3] {
    let (_, calls) = stage.asked_since(begin);
    [Operation::Create, Operation::Update, Operation::Delete].map(|operation| {
        let accepted = calls.iter().filter(|it| it.operation == operation && it.handled == Some(200));
        u64::try_from(accepted.count()).unwrap()
    })
}

fn end(objects: &[Value]) -> Vec<String> {
    let say = |it: &Value| format!("{} {}", condition(it, "Ready")["reason"], it["status"]["origin"]);
    let mut all: Vec<String> = objects.iter().map(say).collect();
    all.sort();
    all
}

/// What must hold when all is quiet, whatever happened before.
async fn check(stage: &Stage, workflow: Workflow) {
    let objects = objects(&stage.world).await;
    assert!(workflow.is_over(&objects), "not over: {objects:#?}");
    let mut upstream = stage.world.workspace.snapshot().live;
    upstream.retain(|it| it.external_id != BYSTANDER);
    for object in &objects {
        let (meta, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
        assert_eq!(status["uid"], meta["uid"], "a status of its own");
        assert_eq!(status["observedGeneration"], meta["generation"]);
        let stalled = condition(object, "Stalled")["status"] == "True";
        assert_eq!(stalled, is_loser(object) || is_stopped(object), "{status}");
        if is_loser(object) {
            assert_eq!(
                (meta.get("finalizers"), status.get("identityId")),
                (None, None),
                "a loser has nothing: {object}"
            );
            continue;
        }
        if is_observed(object) {
            let at = upstream.iter().position(|it| spec["externalId"] == it.external_id);
            let live = at.map(|at| upstream.remove(at).id);
            assert_eq!(status["observed"].get("identityId").and_then(|id| id.as_str()), live.as_deref(), "{status}");
            // What was made for it stays recorded.
            assert_eq!(status.get("identityId").and_then(|id| id.as_str()), live.as_deref(), "{status}");
            continue;
        }
        let held = is_held(object);
        assert!(is_ready(object) || is_stopped(object) || held, "{status}");
        assert!(meta.get("finalizers").is_some() && meta["annotations"].get("unkey.com/claim").is_some(), "{meta}");
        let at = upstream.iter().position(|it| spec["externalId"] == it.external_id).expect("it is in Unkey");
        let live = upstream.remove(at);
        assert_eq!(status["identityId"], live.id.as_str());
        if is_stopped(object) {
            assert_eq!((live.meta, live.ratelimits.len()), (json!({"by": THEIRS}), 0), "it is as it was");
            continue;
        }
        assert_eq!(spec["meta"], live.meta);
        let held: Vec<Value> = live
            .ratelimits
            .iter()
            .map(|it| json!({"name": it.name, "limit": it.limit, "duration": it.duration}))
            .collect();
        let theirs = listed_limits();
        let wanted = spec.get("ratelimits").unwrap_or(&theirs);
        assert_eq!(*wanted, Value::Array(held));
    }
    if let Some(limit) = workflow.limit() {
        let deletes = stage.world.calls()[3];
        assert!(deletes <= u64::from(limit * stage.starts()), "R20: {deletes} deletes of {} processes", stage.starts());
    }
    assert_eq!(upstream.len(), usize::from(workflow.leaves_it()), "left over in Unkey: {upstream:?}");
    let wrong = stage.invariants.wrong();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
