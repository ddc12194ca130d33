//! The desk under a virtual clock, and against the server's own limiter as the emulator has it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use unkey_emulator::state::limiter::Window;

use super::fair_queue::FairQueue;
use super::scheduler::{Key, Need, Scheduler};
use crate::domain::{Cause, Uid, backoff};
use crate::unkey::{Bounds, Budget, Error, Fault, Heard, Operation, RateLimit, Ready};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn desk(concurrent: u16, per_second: u32, workers: usize) -> Scheduler<u32> {
    Scheduler::new(Budget::new(Bounds { concurrent, per_second, share: 0.5 }), workers)
}

fn key(number: u32) -> Key {
    Key::Object(Uid::new(&number.to_string()))
}

#[test]
fn groups_take_turns_and_within_one_the_first_comes_first() {
    let mut queue = FairQueue::new();
    for number in 0..5 {
        queue.push("many", number, number);
    }
    queue.push("few", 10, 10);
    queue.push("few", 11, 11);
    queue.push("many", 0, 99);
    assert_eq!(queue.remove(&1), Some(1));
    queue.push("many", 1, 1);
    let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
    assert_eq!(order, [(0, 99), (10, 10), (2, 2), (11, 11), (3, 3), (4, 4), (1, 1)]);
    assert_eq!((queue.len(), queue.pop()), (0, None));
}

#[test]
fn what_is_granted_is_reserved_until_it_is_taken_up_or_too_old() {
    let mut desk = desk(1, 0, 4);
    assert!(desk.try_take(ms(0), Need::Call));
    assert!(!desk.try_take(ms(0), Need::Call));
    desk.wait("n", key(1), Need::Call, 1);
    desk.wait("n", key(2), Need::Call, 2);
    assert_eq!(desk.grant(ms(0)), [0; 0]);
    desk.give_back(Need::Call);
    assert_eq!(desk.grant(ms(5)), [1]);
    assert!(!desk.try_take(ms(5), Need::Call), "it is reserved");
    assert_eq!(desk.due(ms(5)), Some(ms(10_005)));
    assert_eq!(desk.grant(ms(10_005)), [2], "nobody came for it");
    assert_eq!((desk.take(&key(1)), desk.take(&key(2))), (None, Some(Need::Call)));
    // Whoever is gone gives its place back, waiting or reserved.
    desk.give_back(Need::Call);
    desk.wait("n", key(3), Need::Call, 3);
    desk.wait("n", key(4), Need::Call, 4);
    assert_eq!(desk.grant(ms(11_000)), [3]);
    desk.forget(&key(3));
    desk.forget(&key(4));
    assert_eq!(desk.grant(ms(11_000)), [0; 0]);
    assert!(desk.try_take(ms(11_000), Need::Call));
}

#[test]
fn a_long_pause_holds_back_no_writes_and_writes_do_not_hold_back_calls() {
    let mut desk = desk(16, 0, 2);
    let too_often =
        Fault::Answered { status: 429, code: String::new(), detail: String::new(), retry_after: Some(ms(60_000)) };
    desk.budget().takes(ms(0));
    let sent = desk.budget().sends(ms(0), Operation::Create).unwrap();
    desk.budget().learns(ms(0), &sent, Some(&Arc::new(Error::new(Operation::Create, too_often))), Heard::Nothing);
    desk.wait("n", key(1), Need::Call, 1);
    assert_eq!((desk.grant(ms(1)), desk.due(ms(1))), (vec![], Some(ms(60_000))));
    assert!(desk.try_take(ms(1), Need::Writes), "the waiting call takes no worker's place");
    desk.leaves();
    // Changed its mind: it only writes now.
    desk.wait("n", key(1), Need::Writes, 1);
    assert_eq!(desk.grant(ms(1)), [1]);
    assert_eq!(desk.take(&key(1)), Some(Need::Writes));
    desk.leaves();
    // For two places many writes and many calls wait: they take turns.
    for number in 10..20 {
        desk.wait("n", key(number), if number % 5 == 0 { Need::Call } else { Need::Writes }, number);
    }
    let granted = desk.grant(ms(120_000));
    assert_eq!(granted.len(), 2);
    assert!(granted.contains(&10), "{granted:?}");
}

#[test]
fn a_pass_that_goes_on_is_before_all_others_and_needs_no_free_place() {
    let mut desk = desk(1, 0, 1);
    assert!(desk.try_take(ms(0), Need::Call));
    desk.wait("n", key(1), Need::Call, 1);
    desk.wait("", Key::Task(1), Need::Further, 3);
    desk.budget().gives_back();
    assert!(!desk.try_add_call(ms(0), Need::Call) && !desk.try_take(ms(0), Need::Scan));
    assert_eq!(desk.grant(ms(0)), [3], "with the only place taken");
    assert_eq!(desk.dismiss(), [0; 0]);
    desk.wait("", Key::Task(2), Need::Further, 5);
    assert_eq!(desk.dismiss(), [5], "a pause sends it away");
}

#[test]
fn the_scan_gets_a_tenth_of_what_is_scarce_and_all_that_nobody_wants() {
    let mut desk = desk(1, 0, 64);
    for number in 0..100 {
        desk.wait("n", key(number), Need::Call, number);
    }
    let (mut calls, mut scans, mut at) = (0, 0, 0);
    desk.wait("", Key::Task(0), Need::Scan, 1_000);
    while calls < 90 {
        at += 1;
        let granted = desk.grant(ms(at));
        let [number] = granted[..] else { panic!("one at a time: {granted:?}") };
        if number == 1_000 {
            scans += 1;
            assert_eq!(desk.take(&Key::Task(scans - 1)), Some(Need::Scan));
            desk.give_back(Need::Scan);
            desk.wait("", Key::Task(scans), Need::Scan, 1_000);
        } else {
            calls += 1;
            assert!(desk.take(&key(number)).is_some());
            desk.give_back(Need::Call);
        }
    }
    assert!((9..=10).contains(&scans), "{scans}");
    assert!(!desk.try_take(ms(at), Need::Call), "whoever comes by does not pass those in line");
}

/// An edit in a quiet namespace is next but one, whatever another namespace brings.
#[test]
fn ten_thousand_of_one_namespace_delay_another_by_one() {
    let mut desk = desk(16, 50, 32);
    let mut now = ms(0);
    for number in 0..10_000 {
        desk.wait("many", key(number), Need::Call, number);
    }
    let mut waited = Vec::new();
    for edit in 0..20 {
        // In the middle of the flood.
        for _ in 0..40 {
            now = step(&mut desk, now, &mut |_| {});
        }
        let (number, since) = (20_000 + edit, now);
        desk.wait("few", key(number), Need::Call, number);
        let mut done = None;
        while done.is_none() {
            now = step(&mut desk, now, &mut |granted| {
                if granted == number {
                    done = Some(now);
                }
            });
        }
        waited.push(now.checked_sub(since).unwrap());
    }
    assert!(waited.iter().all(|waited| *waited <= ms(60)), "{waited:?}");
}

/// Grants, answers everything 20 ms later, and moves on to when there may be more.
fn step(desk: &mut Scheduler<u32>, now: Duration, tell: &mut dyn FnMut(u32)) -> Duration {
    for number in desk.grant(now) {
        tell(number);
        assert!(desk.take(&key(number)).is_some());
        let sent = desk.budget().sends(now, Operation::Create).unwrap();
        desk.budget().learns(now, &sent, None, Heard::Nothing);
        desk.leaves();
    }
    match desk.due(now) {
        Some(at) if at > now => at,
        _ => now + ms(20),
    }
}

/// Unkey answers in 5 s and every third call fails, for a minute; what waits then is done within twice the time that it takes
/// without such a minute, and never more than 16 calls wait at a time.
#[test]
fn what_a_brown_out_leaves_is_done_in_twice_the_time_of_a_clean_run() {
    let clean = drained(ms(0), 3_000);
    let brown_out = ms(60_000);
    let after = drained(brown_out, 3_000).checked_sub(brown_out).unwrap();
    assert!(after <= clean * 2, "{after:?} after it, {clean:?} without");
}

/// When the last of `count` calls is done. Until `bad` is over, Unkey is slow and fails; a call that fails is tried again by the
/// controller's own backoff.
fn drained(bad: Duration, count: u32) -> Duration {
    let mut desk = desk(16, 50, 32);
    let mut now = ms(0);
    let mut done = 0;
    let mut tries: HashMap<u32, u32> = HashMap::new();
    let mut again: Vec<(Duration, u32)> = (0..count).map(|number| (ms(0), number)).collect();
    let mut under_way: Vec<(Duration, u32, crate::unkey::Sent)> = Vec::new();
    let failed = Arc::new(Error::new(
        Operation::Create,
        Fault::Answered { status: 503, code: String::new(), detail: String::new(), retry_after: None },
    ));
    let mut calls = 0_u32;
    loop {
        let (over, rest) = under_way.into_iter().partition::<Vec<_>, _>(|(at, ..)| *at <= now);
        under_way = rest;
        for (_, number, sent) in over {
            calls += 1;
            let fails = now <= bad && calls.is_multiple_of(3);
            desk.budget().learns(now, &sent, fails.then_some(&failed), Heard::Nothing);
            if fails {
                let tries = tries.entry(number).or_default();
                *tries += 1;
                let dice = u16::try_from(calls * 7_919 % 65_536).unwrap();
                let wait = backoff::delay(&Cause::Unavailable, *tries, 0, dice).unwrap();
                again.push((now + ms(wait), number));
            } else {
                done += 1;
            }
        }
        if done == count {
            return now;
        }
        let (due, later) = again.into_iter().partition::<Vec<_>, _>(|(at, _)| *at <= now);
        again = later;
        for (_, number) in due {
            desk.wait("n", key(number), Need::Call, number);
        }
        for number in desk.grant(now) {
            assert!(desk.take(&key(number)).is_some());
            let sent = desk.budget().sends(now, Operation::Create).unwrap();
            let latency = if now < bad { ms(5_000) } else { ms(20) };
            under_way.push((now + latency, number, sent));
            desk.leaves();
        }
        assert!(under_way.len() <= 16);
        let next = under_way.iter().map(|it| it.0).chain(again.iter().map(|it| it.0)).chain(desk.due(now)).min();
        now = next.filter(|next| *next > now).unwrap_or(now + ms(1));
    }
}

/// A world of calls to a workspace with a limit, in virtual time.
struct Calls {
    desk: Scheduler<u32>,
    window: Window,
    limit: u64,
    under_way: Vec<(Duration, crate::unkey::Sent)>,
    sent: Vec<Duration>,
    denied: usize,
    latency: Duration,
}

impl Calls {
    fn new(limit: u64, pending: u32, latency: Duration) -> Self {
        let mut desk = desk(16, 50, 32);
        for number in 0..pending {
            desk.wait("n", key(number), Need::Call, number);
        }
        Self { desk, window: Window::default(), limit, under_way: Vec::new(), sent: Vec::new(), denied: 0, latency }
    }

    /// Everything of ours that happens at `now`; returns when there is more to do.
    fn act(&mut self, now: Duration) -> Option<Duration> {
        let start = ms(600_000);
        let (over, rest) = std::mem::take(&mut self.under_way).into_iter().partition(|(at, _)| *at <= now);
        self.under_way = rest;
        for (_, sent) in Vec::from_iter::<Vec<_>>(over) {
            let verdict = self.window.take(u64::try_from((start + now).as_millis()).unwrap(), self.limit);
            let ends = Duration::from_secs(verdict.reset);
            let told = Heard::Limit(RateLimit { limit: self.limit, remaining: verdict.remaining, reset: ends });
            let too_often = Fault::Answered {
                status: 429,
                code: String::new(),
                detail: String::new(),
                retry_after: Some(ends.max(ms(1_000))),
            };
            let error = (!verdict.allowed).then(|| Arc::new(Error::new(Operation::Create, too_often)));
            self.denied += usize::from(error.is_some());
            self.desk.budget().learns(now, &sent, error.as_ref(), told);
        }
        for number in self.desk.grant(now) {
            assert!(self.desk.take(&key(number)).is_some());
            let sent = self.desk.budget().sends(now, Operation::Create).unwrap();
            self.sent.push(now);
            self.under_way.push((now + self.latency, sent));
            self.desk.leaves();
        }
        self.under_way.iter().map(|(at, _)| *at).chain(self.desk.due(now)).min()
    }
}

/// Two thousand creates in a workspace of 600 a minute, of which another client uses a third.
#[test]
fn the_other_client_is_never_denied_and_our_part_is_used() {
    let mut calls = Calls::new(600, 2_000, ms(20));
    let (mut now, mut other, mut other_denied) = (ms(0), ms(0), 0);
    let minutes = 5;
    while now < ms(60_000 * minutes) {
        let next = calls.act(now).filter(|next| *next > now).unwrap_or(now + ms(1));
        while other <= next {
            let at = u64::try_from((ms(600_000) + other).as_millis()).unwrap();
            other_denied += usize::from(!calls.window.take(at, 600).allowed);
            other += ms(300);
        }
        now = next;
    }
    // Half of 600 a minute; the first, when the limit is not known yet, is left out.
    let used = calls.sent.iter().filter(|at| **at >= ms(60_000)).count();
    let share = used * 100 / (300 * usize::try_from(minutes - 1).unwrap());
    println!("{share} % of our part");
    assert_eq!((other_denied, calls.denied), (0, 0));
    assert!((90..=100).contains(&share), "{share} % of our part");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 12, ..ProptestConfig::default() })]

    /// Whatever the limit and the latency: of ours alone the server never counts more than our part, but for those that were under
    /// way when it first told of the limit; and what is permitted is used.
    #[test]
    fn the_server_never_counts_more_than_our_part(limit in 2_u64..5_000, latency in 1_u64..2_000, begin in 0_u64..60_000) {
        let mut calls = Calls::new(limit, 30_000, ms(latency));
        let mut now = ms(begin);
        let end = now + ms(240_000);
        while now < end {
            now = calls.act(now).filter(|next| *next > now).unwrap_or(now + ms(1));
        }
        let first = calls.sent.first().copied().unwrap_or_default() + ms(latency);
        let known: Vec<Duration> = calls.sent.iter().copied().filter(|at| *at > first).collect();
        let part = usize::try_from(limit).unwrap().div_ceil(2).max(1);
        // A window of ours alone, wherever it begins; bursts go into it twice at most.
        for (index, at) in known.iter().enumerate() {
            let within = known[index..].iter().take_while(|other| **other < *at + ms(60_000)).count();
            prop_assert!(within <= part, "{within} in a minute, of {part}");
        }
        // Up to the flags' own 50 a second, and what 16 at a time can do.
        let rate = (f64::from(u32::try_from(part).unwrap()) / 60.0).min(50.0).min(16_000.0 / f64::from(u32::try_from(latency).unwrap()));
        let expected = rate * 180.0;
        let late = known.iter().filter(|at| **at + ms(180_000) > end).count();
        if part >= 20 {
            prop_assert!(f64::from(u32::try_from(late).unwrap()) >= expected * 0.85, "{late} of {expected}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes and goes: no more at a time than workers and calls allow, nothing is granted twice, and as long as
    /// somebody waits for what is free it is granted.
    #[test]
    fn nothing_is_granted_twice_and_nothing_free_is_withheld(
        steps in proptest::collection::vec((0_u8..6, 0_u32..12, 0_u64..40), 1..200),
        concurrent in 1_u16..4,
        workers in 1_usize..4,
    ) {
        let mut desk = desk(concurrent, 0, workers);
        let mut now = ms(0);
        let (mut held, mut waits): (HashMap<u32, Need>, HashMap<u32, Need>) = (HashMap::new(), HashMap::new());
        for (step, number, wait) in steps {
            now += ms(wait);
            let need = if number % 3 == 0 { Need::Writes } else { Need::Call };
            match step {
                0 | 1 if !held.contains_key(&number) && !waits.contains_key(&number) => {
                    if desk.try_take(now, need) {
                        held.insert(number, need);
                    } else {
                        desk.wait(if number < 6 { "a" } else { "b" }, key(number), need, number);
                        waits.insert(number, need);
                    }
                }
                2 | 3 => {
                    if let Some(need) = held.remove(&number) {
                        desk.give_back(need);
                    }
                }
                4 => {
                    desk.forget(&key(number));
                    waits.remove(&number);
                }
                _ => {}
            }
            for granted in desk.grant(now) {
                prop_assert!(waits.remove(&granted).is_some() && !held.contains_key(&granted));
                let need = desk.take(&key(granted));
                prop_assert!(need.is_some());
                held.insert(granted, need.unwrap());
            }
            let calls = held.values().filter(|need| **need == Need::Call).count();
            prop_assert!(held.len() <= workers && calls <= usize::from(concurrent));
            // Work-conserving: who waits still, waits for what is not there.
            let worker = held.len() < workers;
            prop_assert!(!(worker && waits.values().any(|need| *need == Need::Writes)));
            prop_assert!(!(worker && calls < usize::from(concurrent) && waits.values().any(|need| *need == Need::Call)));
            prop_assert_eq!(desk.budget().ready(now) == Ready::Now, calls < usize::from(concurrent));
        }
    }
}
