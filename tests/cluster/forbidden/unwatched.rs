//! A namespace that cannot be watched: the others go on as far as what is in it cannot matter (R8), and it is named where an operator of the
//! operator looks.

use std::collections::BTreeSet;

use cutting_proxy::{Ending, Fault, FaultKind};
use serde_json::json;
use unkey_emulator::Operation;

use super::deeds::{create, old};
use super::scene::Scene;
use crate::harness::{Operator, Right, World, condition, eventually};

/// How many watches are in a state, by the metric.
async fn watches(operator: &Operator, state: &str) -> u64 {
    operator.metrics().await.sum("unkey_operator_watches", &[("state", state)])
}

/// Those of one team are left out.
fn without(scene: &Scene, team: &World) -> BTreeSet<Right> {
    scene.rights().into_iter().filter(|right| right.namespace.as_ref() != Some(&team.namespace)).collect()
}

fn named(team: &World) -> String {
    format!("namespace '{}' is not watched: ", team.namespace)
}

/// Names the condition of an object, and the words in its message.
async fn waits(team: &World, name: &str, reason: &str) {
    let waiting = team.reason(name, reason).await;
    let message = condition(&waiting, "Ready")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("cannot watch every namespace"), "{message}");
}

/// At a start. What is owned goes on; nothing is claimed anew, adopted or deleted that might be an unknown object's.
#[tokio::test]
async fn a_namespace_that_cannot_be_watched_keeps_no_other_waiting() {
    let scene = Scene::of_namespaces("unwatched").await;
    let all = scene.rights();
    scene.grant(&all).await;
    let mut operator = scene.start("15s").await;
    let [open, shut] = &scene.teams;
    let [theirs, other] = ["theirs", "other"].map(|name| format!("{name}-{}", shut.namespace));
    let leaves = format!("leaves-{}", open.namespace);
    for (team, name) in [(open, &old(open)), (open, &leaves), (shut, &theirs), (shut, &other)] {
        create(team, name).await;
        team.ready(name).await;
    }
    let before = [shut.upstream(&theirs), shut.upstream(&other)];
    operator.signal("TERM");
    assert!(operator.ended().await.success());
    scene.grant(&without(&scene, shut)).await;
    let spec = |external_id: &str| json!({"externalId": external_id, "meta": {"mine": 1}, "adoptionPolicy": "Always"});
    open.create("thief", &spec(&theirs)).await;
    let new = format!("new-{}", open.namespace);
    create(open, &new).await;
    // As if a process had died between a claim and its create.
    let claimed = open.create("claimed", &spec(&other)).await;
    let claim = format!("{}:v1:00:", claimed["metadata"]["uid"].as_str().unwrap());
    let finalizer = ["unkey.com/identity"];
    let marked = json!({"metadata": {"finalizers": finalizer, "annotations": {"unkey.com/claim": claim}}});
    open.patch("claimed", &marked).await;
    open.delete("claimed").await;
    let calls = open.calls();

    operator = scene.start("15s").await;
    operator.until_readyz(200, &named(shut)).await;
    assert_eq!((watches(&operator, "unlisted").await, watches(&operator, "current").await), (1, 1));
    open.edit(&old(open), &json!({"meta": {"n": "two"}})).await;
    open.ready(&old(open)).await;
    open.delete(&leaves).await;
    open.gone(&leaves).await;
    waits(open, &new, "Progressing").await;
    waits(open, "thief", "Progressing").await;
    waits(open, "claimed", "DeletionBlocked").await;
    let [creates, _, updates, deletes, _] = open.calls();
    assert_eq!([creates - calls[0], updates - calls[2], deletes - calls[3]], [0, 1, 1]);
    assert_eq!([shut.upstream(&theirs), shut.upstream(&other)], before);

    scene.grant(&all).await;
    open.ready(&new).await;
    open.reason("thief", "ExternalIdConflict").await;
    open.gone("claimed").await;
    assert_eq!([shut.upstream(&theirs), shut.upstream(&other)], before);
    operator.until_readyz(200, "ok").await;
    assert_eq!(operator.http("/readyz").await.body, "ok\n");
    assert_eq!((watches(&operator, "unlisted").await, watches(&operator, "current").await), (0, 2));
    open.delete("thief").await;
    open.gone("thief").await;
    scene.in_step().await;
}

/// At run time: what it has shown is known, so the others go on as if nothing were.
#[tokio::test]
async fn a_watch_that_is_refused_later_is_told_of() {
    let scene = Scene::of_namespaces("unwatched-later").await;
    let all = scene.rights();
    scene.grant(&all).await;
    let operator = scene.start("15s").await;
    let [open, shut] = &scene.teams;
    create(shut, &old(shut)).await;
    shut.ready(&old(shut)).await;
    scene.grant(&without(&scene, shut)).await;
    scene.proxy.end_watches(Ending::Cut);
    operator.until_readyz(200, &named(shut)).await;
    assert_eq!((watches(&operator, "broken").await, watches(&operator, "current").await), (1, 1));
    create(open, &old(open)).await;
    open.ready(&old(open)).await;
    let said = operator.log().matches("Identities cannot be watched").count();
    scene.grant(&all).await;
    // Nothing changes there, and it is told all the same.
    eventually("all to be watched", async || (operator.http("/readyz").await.body == "ok\n").then_some(())).await;
    assert_eq!(watches(&operator, "current").await, 2);
    create(shut, &format!("after-{}", shut.namespace)).await;
    shut.ready(&format!("after-{}", shut.namespace)).await;
    assert!(said <= 4, "{said} lines");
    scene.in_step().await;
}

/// A watch that is neither served nor refused.
#[tokio::test]
async fn a_list_that_never_comes_keeps_no_other_waiting() {
    let scene = Scene::of_namespaces("unwatched-held").await;
    scene.grant(&scene.rights()).await;
    let mut operator = scene.start("15s").await;
    for team in &scene.teams {
        create(team, &old(team)).await;
        team.ready(&old(team)).await;
    }
    operator.signal("TERM");
    assert!(operator.ended().await.success());
    // Two ask whether lists are streamed; the third is the first watch, or the second.
    let held = scene.proxy.order(Fault::new(FaultKind::Hold).verb("watch").on("identities").after(2).once());
    let operator = scene.start("15s").await;
    operator.until_readyz(200, "the Identities are not listed yet").await;
    for team in &scene.teams {
        team.edit(&old(team), &json!({"meta": {"n": "two"}})).await;
    }
    let body = operator.http("/readyz").await.body;
    let seen = scene.teams.iter().find(|team| !body.contains(&named(team))).unwrap();
    seen.ready(&old(seen)).await;
    assert!(scene.proxy.release(held));
    scene.in_step().await;
    eventually("all to be watched", async || (operator.http("/readyz").await.body == "ok\n").then_some(())).await;
    assert_eq!(scene.teams[0].accepted(Operation::Create, &old(seen)), 1);
}
