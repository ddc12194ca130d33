//! Many objects at once: an outage of Unkey, and what only a person can mend (R12, R13).

use std::collections::BTreeMap;
use std::time::Duration;

use unkey_operator_core::{Cause, Role, Wake};

use crate::sim::{Act, End, Script, Sim, content, wish};
use crate::syncing::{A, B, synced};
use crate::world::{Fate, WINDOW, ms};

const OBJECTS: u64 = 1_000;
const OUTAGE: Duration = ms(600_000);

/// Chance, spread over all of it, as the controller has it for each try of each object.
fn jitter(object: u64, attempt: u64) -> u16 {
    let mixed = (object * 1_000 + attempt + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u16::try_from(mixed >> 48).unwrap()
}

/// One object's edit while Unkey is down: status writes meanwhile, and when it is tried first after that.
fn through_the_outage(object: u64, down: &Fate) -> (usize, Duration) {
    let mut sim = synced(A);
    sim.sleep(2 * WINDOW);
    let back = sim.now + OUTAGE;
    sim.apply(wish(B));
    for attempt in 0.. {
        sim.jitter = jitter(object, attempt);
        let script = Script { fates: vec![down.clone(); 4], ..Script::default() };
        let End::Wait(Wake::At(at)) = sim.reconcile_with(&script) else { panic!("{:?}", sim.trace) };
        sim.sleep(sim.mono().until(at));
        if sim.now >= back {
            break;
        }
    }
    let writes = sim.taken().iter().filter(|step| step.starts_with("Status")).count();
    let first = sim.now.saturating_sub(back);
    assert_eq!(sim.settle(), End::Done);
    assert!(sim.ready());
    assert_eq!(sim.unkey.live.as_ref().unwrap().content, content(B));
    (writes, first)
}

#[test]
fn s30_ten_minutes_without_unkey_cost_one_status_each_and_no_herd_follows() {
    // No connection; answers of its own; answers that never come.
    let downs = [Fate::Refused(Cause::Unavailable), Fate::EndedBefore, Fate::LostBefore];
    let mut seconds: BTreeMap<u64, u64> = BTreeMap::new();
    for object in 0..OBJECTS {
        let down = &downs[usize::try_from(object).unwrap() % downs.len()];
        let (writes, first) = through_the_outage(object, down);
        assert_eq!(writes, 1, "{down:?}, object {object}");
        *seconds.entry(first.as_secs()).or_default() += 1;
    }
    let most = seconds.values().max().unwrap();
    assert!(*most <= OBJECTS / 30, "{most} of {OBJECTS} come back in one second");
}

/// An object that waits for a person, and the word for it.
fn stalled(kind: u32) -> (Sim, &'static str) {
    let mut sim = Sim::new();
    let now = sim.now;
    match kind {
        0 => {
            sim.apply(crate::sim::Wish { invalid: true, ..wish(A) });
            sim.settle();
            (sim, "Status InvalidSpec")
        }
        1 => {
            sim.apply(wish(A));
            let refused = Fate::Refused(Cause::Rejected("too much".to_owned()));
            sim.reconcile_with(&Script { fates: vec![refused], ..Script::default() });
            (sim, "Status Rejected")
        }
        2 => {
            sim.unkey.stranger_makes(now, content(B));
            sim.apply(wish(A));
            sim.settle();
            (sim, "Status AlreadyExists")
        }
        3 => {
            sim.unkey.stranger_makes(now, content(A));
            sim.unkey.foreign = true;
            sim.apply(wish(A));
            sim.settle();
            (sim, "Status IdentityMismatch")
        }
        _ => {
            sim.role = Role::Loser { owner_leaving: false, owner_recorded: true, owner_held: false };
            sim.apply(wish(A));
            sim.settle();
            (sim, "Status ExternalIdConflict")
        }
    }
}

#[test]
fn s29_five_thousand_stalled_objects_and_a_restart_cost_nothing() {
    for object in 0..5_000_u32 {
        let (mut sim, word) = stalled(object % 5);
        assert_eq!(sim.taken().last().unwrap(), word);
        // Each is met by the new process at another moment.
        sim.restart();
        sim.sleep(object * ms(20));
        assert_eq!(sim.reconcile(), End::Done, "{word}");
        assert!(sim.taken().is_empty(), "{word}");
        // A person does something about it: then it is looked at.
        sim.act(&Act::Wish(wish(r#""meta":{"mended":true}"#)));
        sim.settle();
        assert!(!sim.taken().is_empty(), "{word}");
    }
}
