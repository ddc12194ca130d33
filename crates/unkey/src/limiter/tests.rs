use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn bounds(concurrent: u16, per_second: u32) -> Bounds {
    Bounds { concurrent, per_second, share: 0.5 }
}

/// Takes as many calls as may be sent at `now`, up to `most`.
fn burst(budget: &mut Budget, now: Duration, most: usize) -> usize {
    let reserve = |_: &usize| {
        let ready = budget.ready(now) == Ready::Now;
        if ready {
            budget.reserve(now);
        }
        ready
    };
    (0..most).take_while(reserve).count()
}

fn sends(budget: &mut Budget, now: Duration, operation: Operation) -> Sent {
    assert_eq!(budget.ready(now), Ready::Now);
    budget.reserve(now);
    budget.sends(now, operation).expect("no breaker is open")
}

fn answered(status: u16, code: &str, retry_after: Option<Duration>) -> Arc<Error> {
    let fault = Fault::Answered { status, code: code.to_owned(), detail: "No.".to_owned(), retry_after };
    Arc::new(Error::new(Operation::Create, fault))
}

fn unauthorized() -> Arc<Error> {
    answered(401, "key_not_found", None)
}

fn forbidden() -> Arc<Error> {
    answered(403, "insufficient_permissions", None)
}

/// One whole call, answered at once.
fn call(budget: &mut Budget, now: Duration, operation: Operation, error: Option<&Arc<Error>>) {
    let sent = sends(budget, now, operation);
    budget.on_response(now, &sent, error, QuotaReport::Unknown);
}

#[test]
fn the_rate_allows_a_burst_of_two_seconds_and_then_evenly_so_many() {
    let mut budget = Budget::new(bounds(1000, 50));
    assert_eq!(burst(&mut budget, ms(10_000), 1000), 100);
    assert_eq!(budget.ready(ms(10_000)), Ready::At(ms(10_020)));
    assert_eq!(burst(&mut budget, ms(10_020), 1000), 1);
    assert_eq!(burst(&mut budget, ms(11_020), 1000), 50);
    assert_eq!(burst(&mut budget, ms(60_000), 1000), 100, "what is saved up is bounded");
}

#[test]
fn a_rate_of_zero_is_none_and_what_was_not_used_comes_back() {
    let mut free = Budget::new(bounds(4, 0));
    assert_eq!((burst(&mut free, ms(0), 9), free.ready(ms(0))), (4, Ready::AfterAnother));
    assert_eq!(free.standing(ms(0)).tokens, None);
    free.refund();
    assert_eq!(free.ready(ms(0)), Ready::Now);

    let mut paced = Budget::new(bounds(1000, 1));
    assert_eq!((burst(&mut paced, ms(0), 9), paced.ready(ms(0))), (2, Ready::At(ms(1_000))));
    paced.refund();
    assert_eq!((paced.standing(ms(0)).tokens, paced.ready(ms(0))), (Some(1.0), Ready::Now));
}

#[test]
fn a_429_stops_everything_and_then_calls_go_out_one_by_one() {
    let mut budget = Budget::new(bounds(16, 50));
    let others: Vec<Sent> = (0..4).map(|_| sends(&mut budget, ms(1_000), Operation::Create)).collect();
    call(&mut budget, ms(1_000), Operation::Create, Some(&answered(429, "rate_limited", Some(ms(7_000)))));
    assert!(budget.is_paused(ms(7_999)) && !budget.is_paused(ms(8_000)));
    // Those that were under way go on, and say nothing of the pause.
    for sent in &others {
        budget.on_response(ms(2_000), sent, None, QuotaReport::Unknown);
    }
    assert_eq!(budget.ready(ms(3_000)), Ready::At(ms(8_000)));
    assert_eq!(burst(&mut budget, ms(8_000), 9), 1, "no burst and one at a time");
    let standing = budget.standing(ms(8_000));
    assert_eq!((standing.concurrency, standing.paused), (1, false));
    // A shorter one does not end it.
    let mut budget = Budget::new(bounds(16, 50));
    let late = sends(&mut budget, ms(0), Operation::Get);
    call(&mut budget, ms(0), Operation::Create, Some(&answered(429, "rate_limited", Some(ms(7_000)))));
    budget.on_response(ms(100), &late, Some(&answered(429, "rate_limited", None)), QuotaReport::Unknown);
    assert_eq!(budget.ready(ms(6_999)), Ready::At(ms(7_000)));
}

#[test]
fn failures_leave_fewer_at_a_time_once_per_round_trip_and_answers_more_again() {
    let mut budget = Budget::new(bounds(16, 0));
    let failed = answered(503, "service_unavailable", None);
    let round: Vec<Sent> = (0..16).map(|_| sends(&mut budget, ms(0), Operation::Create)).collect();
    for sent in &round {
        budget.on_response(ms(50), sent, Some(&failed), QuotaReport::Unknown);
    }
    assert_eq!(budget.standing(ms(50)).concurrency, 11, "sixteen failures of one round are one sign");
    for at in 1..20 {
        call(&mut budget, ms(100 * at), Operation::Create, Some(&failed));
    }
    assert_eq!(budget.standing(ms(2_000)).concurrency, 1, "never none");
    let before = (0..).take_while(|at| {
        call(&mut budget, ms(3_000 + 20 * at), Operation::Create, None);
        budget.standing(ms(3_000)).concurrency < 16
    });
    assert!((100..200).contains(&before.count()), "some hundred answers bring all of it back");
}

#[test]
fn a_page_that_is_too_much_says_nothing_of_load() {
    let mut budget = Budget::new(bounds(16, 0));
    call(&mut budget, ms(0), Operation::List, Some(&answered(500, "unexpected_error", None)));
    let large = Arc::new(Error::new(Operation::Get, Fault::TooLarge { limit: 1 }));
    call(&mut budget, ms(0), Operation::Get, Some(&large));
    call(&mut budget, ms(0), Operation::Get, Some(&answered(404, "identity_not_found", None)));
    assert_eq!(budget.standing(ms(0)).concurrency, 16);
}

#[test]
fn slowness_leaves_a_quarter_and_becomes_usual() {
    let mut budget = Budget::new(bounds(16, 0));
    let mut now = ms(0);
    let mut slow = |budget: &mut Budget, took: Duration| {
        let sent = sends(budget, now, Operation::Create);
        now += took;
        budget.on_response(now, &sent, None, QuotaReport::Unknown);
        budget.standing(now).concurrency
    };
    assert_eq!(slow(&mut budget, ms(20)), 16);
    assert_eq!(slow(&mut budget, ms(900)), 16, "under a second nothing is slow");
    let fewest = (0..20).map(|_| slow(&mut budget, ms(5_000))).min();
    assert_eq!(fewest, Some(4));
    for _ in 0..200 {
        slow(&mut budget, ms(5_000));
    }
    assert_eq!(slow(&mut budget, ms(5_000)), 16, "what lasts is usual");
}

#[test]
fn a_refused_key_is_asked_for_by_one_probe_at_a_time() {
    let mut budget = Budget::new(bounds(16, 0));
    call(&mut budget, ms(0), Operation::Create, Some(&unauthorized()));
    let refused = |budget: &mut Budget, now| {
        budget.reserve(now);
        let result = budget.sends(now, Operation::Get);
        if result.is_err() {
            budget.refund();
        }
        result
    };
    let Refusal { why, wait } = refused(&mut budget, ms(9_999)).expect_err("it is open");
    assert_eq!((why.to_string(), wait), (unauthorized().to_string(), ms(1)));
    let probe = refused(&mut budget, ms(10_000)).expect("a probe");
    assert!(refused(&mut budget, ms(10_000)).is_err(), "one at a time");
    budget.cancel(&probe);
    let probe = refused(&mut budget, ms(10_001)).expect("the lost one counts for nothing");
    budget.on_response(ms(10_100), &probe, Some(&unauthorized()), QuotaReport::Unknown);
    assert!(refused(&mut budget, ms(30_099)).is_err(), "twice as long");
    let probe = refused(&mut budget, ms(30_100)).expect("a probe");
    // Any answer but a refusal of the key is one of a key that is good.
    budget.on_response(ms(30_200), &probe, Some(&answered(404, "identity_not_found", None)), QuotaReport::Unknown);
    assert!(budget.standing(ms(30_200)).key.is_none());
    assert_eq!(burst(&mut budget, ms(30_200), 16), 16, "everything was given back");
}

#[test]
fn three_refusals_in_a_row_stop_one_operation_and_no_other() {
    let mut budget = Budget::new(bounds(16, 0));
    for error in [Some(forbidden()), Some(forbidden()), None, Some(forbidden()), Some(forbidden())] {
        call(&mut budget, ms(0), Operation::Update, error.as_ref());
    }
    assert_eq!(budget.standing(ms(0)).operations, [], "an update in between was allowed");
    call(&mut budget, ms(0), Operation::Update, Some(&forbidden()));
    assert_eq!(budget.standing(ms(0)).operations, [Operation::Update]);
    call(&mut budget, ms(1), Operation::Create, None);
    budget.reserve(ms(1));
    assert!(budget.sends(ms(1), Operation::Update).is_err());
    budget.refund();
    call(&mut budget, ms(10_000), Operation::Update, None);
    assert_eq!(budget.standing(ms(10_000)).operations, []);
}

#[test]
fn another_key_is_not_refused_not_paused_and_has_its_own_limit() {
    let mut budget = Budget::new(bounds(16, 0));
    let under_way = sends(&mut budget, ms(0), Operation::Create);
    let told = RateLimit { limit: 6, remaining: 0, reset: ms(30_000) };
    let sent = sends(&mut budget, ms(0), Operation::Create);
    budget.on_response(
        ms(0),
        &sent,
        Some(&answered(429, "rate_limited", Some(ms(60_000)))),
        QuotaReport::Limited(told),
    );
    budget.key.on_refusal(ms(0), unauthorized(), false);
    budget.key_changed();
    let standing = budget.standing(ms(0));
    assert_eq!((standing.limit, standing.paused, standing.in_flight), (None, false, 1));
    assert!(standing.key.is_none() && standing.tokens.is_none());
    assert_eq!(burst(&mut budget, ms(0), 99), 15, "what is under way counts");
    budget.cancel(&under_way);
}

#[test]
fn a_missing_key_is_no_refusal_of_unkeys() {
    let mut budget = Budget::new(bounds(16, 0));
    let missing = crate::CredentialError::Missing { origin: "file".to_owned() };
    let missing = Arc::new(Error::new(Operation::Create, Fault::Credential(missing)));
    call(&mut budget, ms(0), Operation::Create, Some(&missing));
    assert!(budget.standing(ms(0)).key.is_none());
}

#[test]
fn the_limit_is_followed_as_it_is_told_and_forgotten_when_it_goes() {
    let mut budget = Budget::new(bounds(100, 0));
    let told = |limit, remaining| QuotaReport::Limited(RateLimit { limit, remaining, reset: ms(30_000) });
    let sent = sends(&mut budget, ms(0), Operation::Create);
    budget.on_response(ms(0), &sent, None, told(6_000, 5_990));
    // Half of 6,000 with bursts of 10: 2,980 a minute, and what was sent in the dark counts as the first burst.
    assert_eq!(burst(&mut budget, ms(1), 99), 1);
    assert_eq!(burst(&mut budget, ms(1_000), 99), 10);
    let Ready::At(next) = budget.ready(ms(1_000)) else { panic!("a rate holds") };
    assert_eq!(next.as_millis(), 1_020);
    let sent = sends(&mut budget, ms(2_000), Operation::Create);
    budget.on_response(ms(2_000), &sent, None, QuotaReport::Unlimited);
    assert_eq!((budget.standing(ms(2_000)).limit, budget.ready(ms(2_000))), (None, Ready::Now));
}

#[test]
fn the_last_fifth_is_left_to_the_others() {
    let mut budget = Budget::new(bounds(100, 0));
    let told = |remaining| QuotaReport::Limited(RateLimit { limit: 600, remaining, reset: ms(30_000) });
    let mut now = ms(0);
    let sent = sends(&mut budget, now, Operation::Create);
    budget.on_response(now, &sent, None, told(400));
    while let Ready::Now = budget.ready(now) {
        call(&mut budget, now, Operation::Create, None);
    }
    now += ms(205);
    let mut waits = Vec::new();
    for remaining in [121, 120, 120, 120, 121, 120] {
        let sent = sends(&mut budget, now, Operation::Create);
        budget.on_response(now, &sent, None, told(remaining));
        let next = match budget.ready(now) {
            Ready::At(at) => at,
            other => panic!("{other:?}"),
        };
        waits.push(next.saturating_sub(now).as_millis());
        now = next;
    }
    // The window slides by one call in 100 ms; as long as that is not enough, half as long again each time.
    assert!(waits[1] >= 100 && waits[2] >= 150 && waits[3] >= 225 && waits[5] < 225, "{waits:?}");
    let slowest = waits[3];
    for _ in 0..2_000 {
        let sent = sends(&mut budget, now, Operation::Create);
        budget.on_response(now, &sent, None, told(400));
        if let Ready::At(at) = budget.ready(now) {
            now = at;
        }
    }
    let sent = sends(&mut budget, now, Operation::Create);
    budget.on_response(now, &sent, None, told(400));
    let Ready::At(next) = budget.ready(now) else { panic!("a rate holds") };
    assert!(
        next.saturating_sub(now).as_millis() < slowest && next.saturating_sub(now).as_millis() == 204,
        "{:?}",
        next.saturating_sub(now)
    );
}
