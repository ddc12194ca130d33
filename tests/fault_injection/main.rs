//! Every crash and every cut, enumerated, on the real parts: the operator as a process, a real etcd and kube-apiserver behind a cutting
//! proxy, the Unkey emulator with its faults over HTTP.
//!
//! A workflow is played once undisturbed: that run names its requests, to Kubernetes through the proxy (all but watches) and to Unkey, and
//! how many creates, updates and deletes Unkey accepts. Then it is played again for each request and each harm: cut before it is forwarded,
//! cut after it is committed, the operator killed (SIGKILL) after it and started again; a request to Kubernetes also answered 404 without proof, refused in
//! six ways, and left on a connection that falls silent. A second fault is a request of the *recovery* from the
//! first, as that recovery was seen to go. After each case, when nothing has been asked for four consistency windows:
//!
//! - I1 what is in Unkey is what the specs say, and Ready; I4 nothing more is asked; both reached within a minute;
//! - I2 as many identities as owning objects (and those of `Orphan`): nothing lost, doubled or leaked;
//! - I3 another client's identity is as it was, at every step; I11 every write to an object is fenced by its uid, at every step;
//! - I5 no object was let go while its identity lived, at every step; I6 no status said Ready for what Unkey did not hold, at every step;
//! - I12 as many creates and deletes were accepted as in the undisturbed run, an update once more for each fault at most, and the objects
//!   give the same reason and origin as there;
//! - I13 what another client stored in a field that becomes managed is there at every step (R18);
//! - I14 under masking (R19) what lost its permission says so, nothing of it is let go, and all of it is carried out when the permission is back.
//!
//! I10 (two operators at once) has its own tests in `tests/cluster`.
//!
//! `cargo test --test fault_injection` plays every single fault of every workflow (where permissions are masked, each
//! request meets a crash and one other), and every pair of cuts of `create` and `delete`; `CUTS=all`
//! (`make cuts`) every pair of any fault and a cut, of every workflow, `CUTS=all/NAME+NAME` of these; `CUTS='update/kube-2/after+unkey-1/kill,…'` the cases of those names, as a failure prints them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // a failed step of a test ends the test

mod case;
#[allow(dead_code, unused_imports)] // it serves more tests than these
#[path = "../cluster/harness/mod.rs"]
mod harness;
mod invariants;
mod masked;
mod name;
mod stage;
mod workflow;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use case::Outcome;
use name::{Case, Channel, Cut, Harm};
use workflow::Workflow;

/// Cases at a time.
const AT_A_TIME: usize = 20;
/// The same of those in which nothing happens most of the time.
const SILENT_AT_A_TIME: usize = 48;

/// Says it with the name of this test.
fn say(text: &str) {
    harness::say(&format!("cuts: {text}"));
}

/// Plays cases, some at a time, each on a runtime of its own; a case that fails has no outcome, and its panic is printed.
fn play(cases: Vec<Case>, talkative: bool) -> Vec<(Case, Option<Outcome>)> {
    let (silent, others) = cases.into_iter().partition(Case::is_silent);
    let mut played = play_at_a_time(AT_A_TIME, others, talkative);
    played.extend(play_at_a_time(SILENT_AT_A_TIME, silent, talkative));
    played
}

fn play_at_a_time(at_a_time: usize, cases: Vec<Case>, talkative: bool) -> Vec<(Case, Option<Outcome>)> {
    let (waiting, played) = (Mutex::new(cases.into_iter()), Mutex::new(Vec::new()));
    // A function, for a `while let` would keep the lock while it works.
    let take = || lock(&waiting).next();
    let work = || {
        while let Some(case) = take() {
            let run = || Builder::new_current_thread().enable_all().build().unwrap().block_on(case::play(&case));
            let outcome = std::panic::catch_unwind(run).map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                text.or_else(|| panic.downcast_ref().map(|it: &&str| (*it).to_owned())).unwrap_or_default()
            });
            match &outcome {
                Ok(outcome) if talkative => say(&format!("{case} took {:?}", outcome.took)),
                Ok(_) => {}
                Err(panic) => say(&format!("FAILED: {case}: {panic}")),
            }
            lock(&played).push((case, outcome.ok()));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(work);
        }
    });
    played.into_inner().unwrap()
}

/// A panic is caught outside of the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// Every next fault after what `outcome` shows: of all kinds, or cuts and crashes only.
fn next(case: &Case, outcome: &Outcome, cuts_only: bool) -> Vec<Case> {
    let mut all = Vec::new();
    for (channel, requests) in [(Channel::Kube, &outcome.kube), (Channel::Unkey, &outcome.unkey)] {
        for (request, _) in (1..).zip(requests).take(case.workflow.struck()) {
            for harm in Harm::all(channel).filter(|harm| !cuts_only || Harm::CUTS.contains(harm)) {
                let mut next = case.clone();
                next.cuts.push(Cut { channel, request, harm });
                all.push(next);
            }
        }
    }
    all
}

/// Every single fault. Where permissions are masked, a request meets a crash and one other harm, which take turns from request to request,
/// unless `everything` is wanted: most harms to Kubernetes do not depend on Unkey, and most answers that are lost say no.
fn singles(references: &[(Case, Outcome)], everything: bool) -> Vec<Case> {
    let (mut all, mut before) = (Vec::new(), 0);
    for (case, outcome) in references {
        let mut singles = next(case, outcome, false);
        if case.workflow.is_masked() && !everything {
            singles.retain(|it| {
                let Cut { channel, request, harm } = it.cuts[0];
                harm == Harm::Kill || harm == Harm::in_turn(channel, before + usize::try_from(request).unwrap())
            });
            before += outcome.kube.len();
        }
        all.extend(singles);
    }
    all
}

/// In what a case differs from the undisturbed run (I12).
fn differs(case: &Case, outcome: &Outcome, reference: &Outcome) -> Option<String> {
    let ([creates, updates, deletes], [c, u, d]) = (outcome.accepted, reference.accepted);
    let repeated = u64::try_from(case.cuts.len()).unwrap();
    // It is observed before its create or after, with or without a fault: never more than one is made.
    if case.workflow == Workflow::ObserveEarly {
        let wrong = creates > 1 || (updates, deletes) != (0, 0);
        return wrong.then(|| format!("{case}: accepted {:?}", outcome.accepted));
    }
    if case.workflow.may_end_otherwise() && !case.cuts.is_empty() {
        let grew = creates != c || updates != u;
        return grew.then(|| format!("{case}: accepted {:?}", outcome.accepted));
    }
    let same = (creates, deletes) == (c, d) && (u..=u + repeated).contains(&updates) && outcome.end == reference.end;
    let tell = |it: &Outcome| format!("accepted {:?}, in the end {:?}", it.accepted, it.end);
    (!same).then(|| format!("{case}: {}; undisturbed: {}", tell(outcome), tell(reference)))
}

/// The request that the first fault of a case is for.
fn first_request(case: &Case) -> Option<(&'static str, Channel, u64)> {
    case.cuts.first().map(|cut| (case.workflow.name(), cut.channel, cut.request))
}

/// What was played, and what went wrong.
#[derive(Default)]
struct Tally {
    played: usize,
    unmet: usize,
    /// Those whose first fault met nothing.
    never: Vec<Case>,
    /// Requests that a first fault has met, in some case.
    met: HashSet<(&'static str, Channel, u64)>,
    busy: Duration,
    wrong: Vec<String>,
}

impl Tally {
    fn take(&mut self, played: &[(Case, Option<Outcome>)], references: &[(Case, Outcome)]) {
        for (case, outcome) in played {
            self.played += 1;
            let Some(outcome) = outcome else {
                self.wrong.push(format!("{case}: an invariant does not hold; see above"));
                continue;
            };
            self.busy += outcome.took;
            let reference = references.iter().find(|(it, _)| it.workflow == case.workflow);
            if let Some(wrong) = reference.and_then(|(_, reference)| differs(case, outcome, reference)) {
                say(&format!("FAILED: {wrong}"));
                self.wrong.push(wrong);
            }
            if outcome.strikes < case.cuts.len() {
                self.unmet += 1;
                if outcome.strikes == 0 {
                    self.never.push(case.clone());
                }
            }
            if outcome.strikes > 0 {
                self.met.extend(first_request(case));
            }
        }
    }

    /// A recovery may take another turn than last time. The undisturbed run may only if it is seen to: of two objects that are worked
    /// on at once the one may be done before the other has said what it waits for. A request that another case has met is there: how often
    /// the clock repeats one depends on how busy the machine is.
    fn asks_for_the_never_met(&mut self) {
        let mut never = std::mem::take(&mut self.never);
        never.retain(|case| first_request(case).is_none_or(|it| !self.met.contains(&it)));
        let mut workflows: Vec<Workflow> = never.iter().map(|case| case.workflow).collect();
        workflows.dedup();
        for workflow in workflows {
            let again = vec![Case { workflow, cuts: Vec::new() }; UNDISTURBED];
            let fewest = |outcomes: &[(Case, Option<Outcome>)], of: fn(&Outcome) -> usize| {
                outcomes.iter().filter_map(|(_, it)| it.as_ref().map(of)).min().unwrap_or(usize::MAX)
            };
            let again = play(again, false);
            let (kube, unkey) = (fewest(&again, |it| it.kube.len()), fewest(&again, |it| it.unkey.len()));
            for case in never.iter().filter(|case| case.workflow == workflow) {
                let first = &case.cuts[0];
                let fewest = if first.channel == Channel::Kube { kube } else { unkey };
                if usize::try_from(first.request).unwrap() <= fewest {
                    self.wrong.push(format!("{case}: the request never came"));
                }
            }
        }
    }
}

/// So many undisturbed runs tell whether a request comes in each.
const UNDISTURBED: usize = 16;

fn references(workflows: Vec<Workflow>) -> Vec<(Case, Outcome)> {
    let cases = workflows.into_iter().map(|workflow| Case { workflow, cuts: Vec::new() }).collect();
    let played = play(cases, false);
    let played: Vec<_> =
        played.into_iter().map(|(case, it)| it.map(|it| (case, it)).expect("the undisturbed run holds")).collect();
    for (case, outcome) in &played {
        say(&format!("{case}: [{}] and [{}]", outcome.kube.join(", "), outcome.unkey.join(", ")));
    }
    played
}

#[allow(clippy::disallowed_methods)] // there is no command line to a test
fn wanted() -> String {
    std::env::var("CUTS").unwrap_or_default()
}

#[test]
fn nothing_is_lost_doubled_or_leaked() {
    let (begun, wanted) = (Instant::now(), wanted());
    let mut tally = Tally::default();
    let everything = wanted.starts_with("all");
    if wanted.is_empty() || everything {
        let named: Vec<_> = wanted.split(['/', '+']).skip(1).collect();
        let is_one = |name: &&str| Workflow::ALL.iter().any(|it| it.name() == *name);
        assert!(named.iter().all(is_one), "a workflow that there is not: {named:?}");
        let is_meant = |it: &Workflow| named.is_empty() || named.contains(&it.name());
        let references = references(Workflow::ALL.into_iter().filter(is_meant).collect());
        let singles = play(singles(&references, everything), false);
        tally.take(&singles, &references);
        say(&format!("{} single faults after {:?}", singles.len(), begun.elapsed()));
        let paired = if everything { Workflow::ALL.to_vec() } else { vec![Workflow::Create, Workflow::Delete] };
        for workflow in paired.into_iter().filter(is_meant) {
            let firsts = singles.iter().filter(|(case, _)| case.workflow == workflow && (everything || case.is_cut()));
            let pairs = firsts.filter_map(|(case, it)| it.as_ref().map(|it| next(case, it, true)));
            let pairs = play(pairs.flatten().collect(), false);
            tally.take(&pairs, &references);
            say(&format!("{} pairs of faults of {} after {:?}", pairs.len(), workflow.name(), begun.elapsed()));
        }
    } else {
        let cases: Vec<Case> = wanted.split(',').map(|name| name.trim().parse().unwrap()).collect();
        let is_meant = |it: &Workflow| cases.iter().any(|case| case.workflow == *it);
        let references = references(Workflow::ALL.into_iter().filter(is_meant).collect());
        tally.take(&play(cases, true), &references);
    }
    tally.asks_for_the_never_met();
    let each = tally.busy / u32::try_from(tally.played.max(1)).unwrap();
    say(&format!("{} cases, {each:?} each, {AT_A_TIME} at a time; {:?} in all", tally.played, begun.elapsed()));
    say(&format!("in {} the run went another way and a fault met nothing", tally.unmet));
    assert!(tally.wrong.is_empty(), "repeat with CUTS='NAME,…':\n{}", tally.wrong.join("\n"));
}
