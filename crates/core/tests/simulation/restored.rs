//! S45: etcd is restored from a backup, so that the object is as it was before, and Unkey is not. S44: a definition that seems to be gone.

use unkey_operator_core::{Crd, Wake};

use crate::sim::{Act, End, Sim, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::WINDOW;

/// In step with A, and the backup of that moment; the window is over, so that a look is settled at once.
fn backed_up() -> (Sim, crate::sim::Thing) {
    let sim = synced(A);
    let backup = sim.thing.clone().unwrap();
    (sim, backup)
}

#[test]
fn s45_an_edit_that_was_undone_is_undone_in_unkey() {
    let (mut sim, backup) = backed_up();
    sim.apply(wish(B));
    sim.settle();
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
    sim.rewind(&backup);
    assert!(sim.ready(), "its status says so, and is wrong");
    sim.taken();
    assert_eq!(sim.settle(), End::Done);
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(A));
    let steps = sim.taken();
    assert!(steps.iter().any(|step| step == "Read") && steps.iter().any(|step| step == "Update"), "{steps:?}");
    sim.reconcile();
    assert!(sim.taken().is_empty(), "and rests");
}

#[test]
fn s45_a_deletion_that_was_undone_brings_a_new_identity() {
    let (mut sim, backup) = backed_up();
    sim.act(&Act::Delete);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.thing.is_none() && sim.unkey.live.is_none());
    sim.rewind(&backup);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready(), "{:?}", sim.trace);
    assert_eq!(sim.unkey.accepted_creates, 2);
}

#[test]
fn s45_what_was_made_after_the_backup_is_found_by_the_one_that_was_restored() {
    let mut sim = Sim::new();
    sim.apply(wish(A));
    let backup = sim.thing.clone().unwrap();
    assert_eq!(sim.settle(), End::Done);
    sim.rewind(&backup);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready() && sim.unkey.accepted_creates == 1, "{:?}", sim.trace);
}

#[test]
fn s44_while_the_definition_seems_to_be_gone_the_deletion_waits_without_a_word() {
    let mut sim = synced(A);
    let again = sim.mono().after(WINDOW);
    sim.crd = Crd::Doubtful(again);
    sim.act(&Act::Delete);
    assert_eq!(sim.reconcile(), End::Wait(Wake::At(again)));
    assert_eq!(sim.taken().last().map(String::as_str), Some("LookAtCrd"));
    sim.sleep(WINDOW);
    sim.crd = Crd::Stays;
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.thing.is_none() && sim.unkey.live.is_none());
}
