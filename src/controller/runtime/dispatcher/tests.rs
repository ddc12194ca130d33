//! The scheduler under a virtual clock, and against the server's own limiter as the emulator has it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;
use unkey_emulator::state::limiter::Window;

use super::Dispatcher;
use super::fair_queue::FairQueue;
use super::scheduler::{Key, Priority, Scheduler};
use crate::domain::{Cause, Uid, backoff};
use crate::telemetry::Metrics;
use crate::unkey::{Bounds, Budget, Error, Fault, Operation, QuotaReport, RateLimit, Ready};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn scheduler(concurrent: u16, per_second: u32, workers: usize) -> Scheduler<u32> {
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
    let mut scheduler = scheduler(1, 0, 4);
    assert!(scheduler.try_take(ms(0), Priority::Call));
    assert!(!scheduler.try_take(ms(0), Priority::Call));
    scheduler.wait("n", key(1), Priority::Call, 1);
    scheduler.wait("n", key(2), Priority::Call, 2);
    assert_eq!(scheduler.grant(ms(0)), [0; 0]);
    scheduler.give_back(Priority::Call);
    assert_eq!(scheduler.grant(ms(5)), [1]);
    assert!(!scheduler.try_take(ms(5), Priority::Call), "it is reserved");
    assert_eq!(scheduler.due(ms(5)), Some(ms(10_005)));
    assert_eq!(scheduler.grant(ms(10_005)), [2], "nobody came for it");
    assert_eq!((scheduler.take(&key(1)), scheduler.take(&key(2))), (None, Some(Priority::Call)));
    // Whoever is gone gives its place back, waiting or reserved.
    scheduler.give_back(Priority::Call);
    scheduler.wait("n", key(3), Priority::Call, 3);
    scheduler.wait("n", key(4), Priority::Call, 4);
    assert_eq!(scheduler.grant(ms(11_000)), [3]);
    scheduler.forget(&key(3));
    scheduler.forget(&key(4));
    assert_eq!(scheduler.grant(ms(11_000)), [0; 0]);
    assert!(scheduler.try_take(ms(11_000), Priority::Call));
}

#[test]
fn a_long_pause_holds_back_no_writes_and_writes_do_not_hold_back_calls() {
    let mut scheduler = scheduler(16, 0, 2);
    let too_often =
        Fault::Answered { status: 429, code: String::new(), detail: String::new(), retry_after: Some(ms(60_000)) };
    scheduler.budget().reserve(ms(0));
    let sent = scheduler.budget().sends(ms(0), Operation::Create).unwrap();
    scheduler.budget().on_response(
        ms(0),
        &sent,
        Some(&Arc::new(Error::new(Operation::Create, too_often))),
        QuotaReport::Unknown,
    );
    scheduler.wait("n", key(1), Priority::Call, 1);
    assert_eq!((scheduler.grant(ms(1)), scheduler.due(ms(1))), (vec![], Some(ms(60_000))));
    assert!(scheduler.try_take(ms(1), Priority::Writes), "the waiting call takes no worker's place");
    scheduler.leaves();
    // Changed its mind: it only writes now.
    scheduler.wait("n", key(1), Priority::Writes, 1);
    assert_eq!(scheduler.grant(ms(1)), [1]);
    assert_eq!(scheduler.take(&key(1)), Some(Priority::Writes));
    scheduler.leaves();
    // For two places many writes and many calls wait: they take turns.
    for number in 10..20 {
        scheduler.wait("n", key(number), if number % 5 == 0 { Priority::Call } else { Priority::Writes }, number);
    }
    let granted = scheduler.grant(ms(120_000));
    assert_eq!(granted.len(), 2);
    assert!(granted.contains(&10), "{granted:?}");
}

#[test]
fn a_reconcile_that_goes_on_is_before_all_others_and_needs_no_free_place() {
    let mut scheduler = scheduler(1, 0, 1);
    assert!(scheduler.try_take(ms(0), Priority::Call));
    scheduler.wait("n", key(1), Priority::Call, 1);
    scheduler.wait("", Key::Task(1), Priority::Further, 3);
    scheduler.budget().refund();
    assert!(!scheduler.try_add_call(ms(0), Priority::Call) && !scheduler.try_take(ms(0), Priority::Scan));
    assert_eq!(scheduler.grant(ms(0)), [3], "with the only place taken");
    assert_eq!(scheduler.dismiss(), [0; 0]);
    scheduler.wait("", Key::Task(2), Priority::Further, 5);
    assert_eq!(scheduler.dismiss(), [5], "a pause sends it away");
}

#[test]
fn the_scan_gets_a_tenth_of_what_is_scarce_and_all_that_nobody_wants() {
    let mut scheduler = scheduler(1, 0, 64);
    for number in 0..100 {
        scheduler.wait("n", key(number), Priority::Call, number);
    }
    let (mut calls, mut scans, mut at) = (0, 0, 0);
    scheduler.wait("", Key::Task(0), Priority::Scan, 1_000);
    while calls < 90 {
        at += 1;
        let granted = scheduler.grant(ms(at));
        let [number] = granted[..] else { panic!("one at a time: {granted:?}") };
        if number == 1_000 {
            scans += 1;
            assert_eq!(scheduler.take(&Key::Task(scans - 1)), Some(Priority::Scan));
            scheduler.give_back(Priority::Scan);
            scheduler.wait("", Key::Task(scans), Priority::Scan, 1_000);
        } else {
            calls += 1;
            assert!(scheduler.take(&key(number)).is_some());
            scheduler.give_back(Priority::Call);
        }
    }
    assert!((9..=10).contains(&scans), "{scans}");
    assert!(!scheduler.try_take(ms(at), Priority::Call), "whoever comes by does not pass those in line");
}

/// An edit in a quiet namespace is next but one, whatever another namespace brings.
#[test]
fn ten_thousand_of_one_namespace_delay_another_by_one() {
    let mut scheduler = scheduler(16, 50, 32);
    let mut now = ms(0);
    for number in 0..10_000 {
        scheduler.wait("many", key(number), Priority::Call, number);
    }
    let mut waited = Vec::new();
    for edit in 0..20 {
        // In the middle of the flood.
        for _ in 0..40 {
            now = step(&mut scheduler, now, &mut |_| {});
        }
        let (number, since) = (20_000 + edit, now);
        scheduler.wait("few", key(number), Priority::Call, number);
        let mut done = None;
        while done.is_none() {
            now = step(&mut scheduler, now, &mut |granted| {
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
fn step(scheduler: &mut Scheduler<u32>, now: Duration, tell: &mut dyn FnMut(u32)) -> Duration {
    for number in scheduler.grant(now) {
        tell(number);
        assert!(scheduler.take(&key(number)).is_some());
        let sent = scheduler.budget().sends(now, Operation::Create).unwrap();
        scheduler.budget().on_response(now, &sent, None, QuotaReport::Unknown);
        scheduler.leaves();
    }
    match scheduler.due(now) {
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
    let mut scheduler = scheduler(16, 50, 32);
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
            scheduler.budget().on_response(now, &sent, fails.then_some(&failed), QuotaReport::Unknown);
            if fails {
                let tries = tries.entry(number).or_default();
                *tries += 1;
                let jitter = u16::try_from(calls * 7_919 % 65_536).unwrap();
                let wait = backoff::delay(&Cause::Unavailable, *tries, None, jitter).unwrap();
                again.push((now + wait, number));
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
            scheduler.wait("n", key(number), Priority::Call, number);
        }
        for number in scheduler.grant(now) {
            assert!(scheduler.take(&key(number)).is_some());
            let sent = scheduler.budget().sends(now, Operation::Create).unwrap();
            let latency = if now < bad { ms(5_000) } else { ms(20) };
            under_way.push((now + latency, number, sent));
            scheduler.leaves();
        }
        assert!(under_way.len() <= 16);
        let next = under_way.iter().map(|it| it.0).chain(again.iter().map(|it| it.0)).chain(scheduler.due(now)).min();
        now = next.filter(|next| *next > now).unwrap_or(now + ms(1));
    }
}

/// A world of calls to a workspace with a limit, in virtual time.
struct Calls {
    scheduler: Scheduler<u32>,
    window: Window,
    limit: u64,
    under_way: Vec<(Duration, crate::unkey::Sent)>,
    sent: Vec<Duration>,
    denied: usize,
    latency: Duration,
}

impl Calls {
    fn new(limit: u64, pending: u32, latency: Duration) -> Self {
        let mut scheduler = scheduler(16, 50, 32);
        for number in 0..pending {
            scheduler.wait("n", key(number), Priority::Call, number);
        }
        Self {
            scheduler,
            window: Window::default(),
            limit,
            under_way: Vec::new(),
            sent: Vec::new(),
            denied: 0,
            latency,
        }
    }

    /// Everything of ours that happens at `now`; returns when there is more to do.
    fn act(&mut self, now: Duration) -> Option<Duration> {
        let start = ms(600_000);
        let (over, rest) = std::mem::take(&mut self.under_way).into_iter().partition(|(at, _)| *at <= now);
        self.under_way = rest;
        for (_, sent) in Vec::from_iter::<Vec<_>>(over) {
            let verdict = self.window.take(u64::try_from((start + now).as_millis()).unwrap(), self.limit);
            let ends = Duration::from_secs(verdict.reset);
            let told = QuotaReport::Limited(RateLimit { limit: self.limit, remaining: verdict.remaining, reset: ends });
            let too_often = Fault::Answered {
                status: 429,
                code: String::new(),
                detail: String::new(),
                retry_after: Some(ends.max(ms(1_000))),
            };
            let error = (!verdict.allowed).then(|| Arc::new(Error::new(Operation::Create, too_often)));
            self.denied += usize::from(error.is_some());
            self.scheduler.budget().on_response(now, &sent, error.as_ref(), told);
        }
        for number in self.scheduler.grant(now) {
            assert!(self.scheduler.take(&key(number)).is_some());
            let sent = self.scheduler.budget().sends(now, Operation::Create).unwrap();
            self.sent.push(now);
            self.under_way.push((now + self.latency, sent));
            self.scheduler.leaves();
        }
        self.under_way.iter().map(|(at, _)| *at).chain(self.scheduler.due(now)).min()
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

/// It would hold up the drain for as long as it waits. Its place in line is free.
#[tokio::test]
async fn who_waits_in_its_middle_goes_when_the_process_is_to_end() {
    let (stop, one) = (CancellationToken::new(), Bounds { concurrent: 1, ..Bounds::default() });
    let dispatcher = Dispatcher::new(one, 2, stop.clone(), Metrics::default());
    let busy = dispatcher.acquire("a", Priority::Call).await;
    let mut waits = pin!(dispatcher.go_on("a"));
    assert!(waits.as_mut().now_or_never().is_none(), "it waits");
    stop.cancel();
    assert!(waits.now_or_never().expect("it goes").is_none());
    assert!(dispatcher.go_on("a").now_or_never().expect("it does not wait").is_none());
    drop(busy);
    assert!(dispatcher.acquire("a", Priority::Call).now_or_never().is_some());
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
        let mut scheduler = scheduler(concurrent, 0, workers);
        let mut now = ms(0);
        let (mut held, mut waits): (HashMap<u32, Priority>, HashMap<u32, Priority>) = (HashMap::new(), HashMap::new());
        for (step, number, wait) in steps {
            now += ms(wait);
            let priority = if number % 3 == 0 { Priority::Writes } else { Priority::Call };
            match step {
                0 | 1 if !held.contains_key(&number) && !waits.contains_key(&number) => {
                    if scheduler.try_take(now, priority) {
                        held.insert(number, priority);
                    } else {
                        scheduler.wait(if number < 6 { "a" } else { "b" }, key(number), priority, number);
                        waits.insert(number, priority);
                    }
                }
                2 | 3 => {
                    if let Some(priority) = held.remove(&number) {
                        scheduler.give_back(priority);
                    }
                }
                4 => {
                    scheduler.forget(&key(number));
                    waits.remove(&number);
                }
                _ => {}
            }
            for granted in scheduler.grant(now) {
                prop_assert!(waits.remove(&granted).is_some() && !held.contains_key(&granted));
                let priority = scheduler.take(&key(granted));
                prop_assert!(priority.is_some());
                held.insert(granted, priority.unwrap());
            }
            let calls = held.values().filter(|priority| **priority == Priority::Call).count();
            prop_assert!(held.len() <= workers && calls <= usize::from(concurrent));
            // Work-conserving: who waits still, waits for what is not there.
            let worker = held.len() < workers;
            prop_assert!(!(worker && waits.values().any(|priority| *priority == Priority::Writes)));
            prop_assert!(!(worker && calls < usize::from(concurrent) && waits.values().any(|priority| *priority == Priority::Call)));
            prop_assert_eq!(scheduler.budget().ready(now) == Ready::Now, calls < usize::from(concurrent));
        }
    }
}
