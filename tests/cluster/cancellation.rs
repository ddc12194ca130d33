//! S33: the future that performs a reconcile is dropped at every await. It is polled by hand, on the real parts but in this process, and dropped
//! after its k-th `Pending`, for all k until the workflow ends undisturbed; then the controller runs on the same memory. Whatever request was
//! not sent, was on its way or was answered unheard, the end is that of the undisturbed run.
//!
//! `DROPPED=create-7-underway` runs one case alone.

mod life;
mod workflow;

use std::panic::AssertUnwindSafe;
use std::pin::pin;

use futures::{FutureExt, StreamExt};
use unkey_emulator::{Fault, FaultKind};

use self::life::{Cut, End, Fate, LATE, Life};
use self::workflow::Workflow;
use super::harness::say;

/// No workflow has as many awaits.
const FARTHEST: usize = 200;
/// Cases at a time.
const AT_ONCE: usize = 16;

/// Runs the workflow, cut or not. How it ended, and whether it came to the cut.
async fn run(workflow: Workflow, cut: Option<Cut>, name: &str) -> (End, bool) {
    let mut life = Life::new(name).await;
    for (number, reasons) in workflow.acts().iter().enumerate() {
        let part = number >= workflow.begins();
        if part && cut.is_some_and(|cut| cut.fate == Fate::Underway) && life.running.is_none() {
            life.world.workspace.order(Fault::new(FaultKind::Delay { ms: LATE }));
        }
        workflow.act(number, &life.world).await;
        if life.running.is_none() {
            life.drive(cut.filter(|_| part)).await;
            if life.running.is_some() {
                life.world.workspace.clear_faults();
                if workflow.hurries() && number + 1 < workflow.acts().len() {
                    continue;
                }
            }
        }
        if !part {
            life.pending = 0;
        }
        life.until_shown(reasons).await;
    }
    life.world.workspace.clear_faults();
    let reached = life.running.is_some();
    if reached {
        life.until_quiet().await;
    } else {
        let before = life.pending;
        life.drive(None).await;
        assert_eq!(life.pending, before, "the undisturbed run ends quiet");
    }
    life.until_shown(workflow.acts().last().unwrap()).await;
    if workflow != Workflow::DeletionFlip {
        life.world.assert_in_step().await;
    }
    (life.end().await, reached)
}

async fn case(workflow: Workflow, cut: Cut, name: &str, wanted: &End) -> bool {
    let (end, reached) = run(workflow, Some(cut), name).await;
    if reached {
        assert!(end.updates <= wanted.updates + 1, "{name}: {} updates", end.updates);
        let end = End { updates: wanted.updates, ..end };
        if workflow.hurries() && end.creates < wanted.creates {
            // Gone before it was made.
            assert_eq!(End { creates: end.creates + 1, deletes: end.deletes + 1, ..end }, *wanted, "{name}");
        } else {
            assert_eq!(end, *wanted, "{name}");
        }
    }
    reached
}

#[allow(clippy::disallowed_methods)] // which case to repeat is no setting of the operator
fn only() -> Option<String> {
    std::env::var("DROPPED").ok()
}

async fn at_every_await(workflow: Workflow, word: &str) {
    let (wanted, _) = run(workflow, None, &format!("dropped-{word}")).await;
    let fates = [(Fate::Unsent, "unsent"), (Fate::Underway, "underway"), (Fate::Answered, "answered")];
    let mut failed = Vec::new();
    let mut ran = 0;
    for (fate, told) in fates {
        let wanted = &wanted;
        let cases = futures::stream::iter(1..).map(|at| async move {
            let name = format!("{word}-{at}-{told}");
            if only().is_some_and(|only| only != name) {
                return (name, Ok((at < FARTHEST).then_some(0)));
            }
            let case = AssertUnwindSafe(case(workflow, Cut { at, fate }, &name, wanted)).catch_unwind().await;
            let reached = case.map(|reached| reached.then_some(1)).map_err(|_| ());
            (name, reached)
        });
        let mut cases = pin!(cases.buffered(AT_ONCE));
        while let Some((name, end)) = cases.next().await {
            match end {
                Ok(Some(cases)) => ran += cases,
                Ok(None) => break,
                Err(()) => failed.push(name),
            }
        }
    }
    say(&format!("dropped: {word}: {} cases, {} failed", ran + failed.len(), failed.len()));
    assert!(failed.is_empty(), "repeat each with DROPPED=NAME: {failed:?}");
}

#[tokio::test]
async fn dropped_in_a_create() {
    at_every_await(Workflow::Create, "create").await;
}

#[tokio::test]
async fn dropped_in_an_update() {
    at_every_await(Workflow::Update, "update").await;
}

#[tokio::test]
async fn dropped_in_a_delete() {
    at_every_await(Workflow::Delete, "delete").await;
}

#[tokio::test]
async fn dropped_in_an_adoption() {
    at_every_await(Workflow::Adopt, "adopt").await;
}

#[tokio::test]
async fn dropped_when_the_identity_has_vanished() {
    at_every_await(Workflow::Recreate, "recreate").await;
}

#[tokio::test]
async fn dropped_when_the_identity_was_replaced() {
    at_every_await(Workflow::Replaced, "replaced").await;
}

#[tokio::test]
async fn dropped_in_a_flip_of_the_adoption_policy() {
    at_every_await(Workflow::AdoptionFlip, "adoption-flip").await;
}

#[tokio::test]
async fn dropped_in_a_flip_of_the_deletion_policy() {
    at_every_await(Workflow::DeletionFlip, "deletion-flip").await;
}

#[tokio::test]
async fn dropped_between_two_objects_of_one_external_id() {
    at_every_await(Workflow::TwoObjects, "two-objects").await;
}

#[tokio::test]
async fn dropped_in_a_create_and_edited() {
    at_every_await(Workflow::CreateEdit, "create-edit").await;
}

#[tokio::test]
async fn dropped_in_a_create_and_deleted() {
    at_every_await(Workflow::CreateDelete, "create-delete").await;
}

#[tokio::test]
async fn dropped_in_an_update_and_edited() {
    at_every_await(Workflow::UpdateEdit, "update-edit").await;
}

#[tokio::test]
async fn dropped_in_an_update_and_deleted() {
    at_every_await(Workflow::UpdateDelete, "update-delete").await;
}
