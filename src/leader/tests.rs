//! Whatever is lost, late, skewed or stopped: never two that may act.

mod elector;

use std::time::Duration;

use futures::FutureExt;
use proptest::prelude::*;

use super::Leadership;
use super::election::{Answer, Ask, Election, Record, Timing};

const LEASE: Duration = Duration::from_secs(15);

fn timing() -> Timing {
    Timing::of(LEASE)
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn held_by(holder: &str, version: &str) -> Record {
    Record { version: version.to_owned(), holder: Some(holder.to_owned()), lease: LEASE }
}

/// A candidate that has read this at 100 s.
fn having_read(record: Record) -> Election {
    let mut election = Election::new("me".to_owned(), timing());
    election.answered(&Ask::Get, Answer::Is(record), secs(99), secs(100));
    election
}

/// As in a process that stood still: the reconciles wake before whoever renews.
#[test]
fn a_term_that_has_run_out_is_over_though_nobody_has_said_so() {
    let lead = Leadership::to_be_won();
    assert!(!lead.holds());
    lead.set(Some(lead.now() + secs(60)));
    assert!(lead.holds());
    let end = Duration::from_millis(2);
    lead.set(Some(end));
    while lead.now() < end {
        std::hint::spin_loop();
    }
    assert!(lead.won().now_or_never().is_some());
    assert!(!lead.holds());
}

#[test]
fn it_leads_from_when_it_sent_what_was_answered() {
    let mut election = Election::new("me".to_owned(), timing());
    assert_eq!(election.next(secs(0)), Ask::Get);
    election.answered(&Ask::Get, Answer::Absent, secs(0), secs(1));
    assert_eq!(election.next(secs(1)), Ask::Create);
    election.answered(&Ask::Create, Answer::Is(held_by("me", "1")), secs(1), secs(3));
    assert_eq!(election.until(), Some(secs(11)));
    let renewal = election.next(secs(5));
    assert_eq!(renewal, Ask::Hold("1".to_owned()));
    election.answered(&renewal, Answer::Is(held_by("me", "2")), secs(5), secs(6));
    assert_eq!(election.until(), Some(secs(15)));
}

#[test]
fn what_another_holds_is_taken_when_it_has_not_changed_for_its_time() {
    let mut election = having_read(held_by("other", "1"));
    election.answered(&Ask::Get, Answer::Is(held_by("other", "1")), secs(105), secs(105));
    assert_eq!(election.next(secs(114)), Ask::Get);
    assert_eq!(election.next(secs(115)), Ask::Hold("1".to_owned()));
    election.answered(&Ask::Get, Answer::Is(held_by("other", "2")), secs(114), secs(114));
    assert_eq!(election.next(secs(128)), Ask::Get, "renewed");
    let longer = having_read(Record { lease: secs(60), ..held_by("other", "1") });
    assert_eq!(longer.next(secs(159)), Ask::Get, "its own word counts, if it is the longer one");
    let shorter = having_read(Record { lease: secs(1), ..held_by("other", "1") });
    assert_eq!(shorter.next(secs(114)), Ask::Get);
}

#[test]
fn what_was_released_is_taken_at_once() {
    let released = having_read(Record { holder: None, ..held_by("other", "1") });
    assert_eq!(released.next(secs(100)), Ask::Hold("1".to_owned()));
}

/// It may have gone through much later than it was sent, and have taken the lease from somebody who does not know yet.
#[test]
fn a_write_that_went_through_unknown_to_us_is_waited_for_as_anyone_s() {
    let mut election = having_read(Record { holder: None, ..held_by("other", "1") });
    let take = election.next(secs(100));
    election.answered(&take, Answer::Unknown, secs(100), secs(104));
    assert_eq!((election.until(), election.next(secs(104))), (None, Ask::Get));
    election.answered(&Ask::Get, Answer::Is(held_by("me", "2")), secs(105), secs(105));
    assert_eq!((election.until(), election.next(secs(119))), (None, Ask::Get));
    assert_eq!(election.next(secs(120)), Ask::Hold("2".to_owned()));
}

#[test]
fn a_renewal_whose_answer_is_lost_is_tried_again_for_as_long_as_the_term_lasts() {
    let mut election = having_read(held_by("other", "1"));
    let take = election.next(secs(115));
    election.answered(&take, Answer::Is(held_by("me", "2")), secs(115), secs(115));
    let renewal = election.next(secs(117));
    election.answered(&renewal, Answer::Unknown, secs(117), secs(121));
    assert_eq!((election.until(), election.next(secs(121))), (Some(secs(125)), Ask::Get));
    election.answered(&Ask::Get, Answer::Is(held_by("me", "3")), secs(121), secs(121));
    assert_eq!((election.until(), election.next(secs(121))), (Some(secs(125)), Ask::Hold("3".to_owned())));
}

#[test]
fn who_finds_its_lease_taken_or_gone_leads_no_more() {
    for answer in [Answer::Is(held_by("other", "9")), Answer::Absent] {
        let mut election = having_read(Record { holder: None, ..held_by("other", "1") });
        let take = election.next(secs(100));
        election.answered(&take, Answer::Is(held_by("me", "2")), secs(100), secs(100));
        assert!(election.until().is_some());
        election.answered(&Ask::Get, answer, secs(102), secs(102));
        assert_eq!(election.until(), None);
    }
}

/// Deleted by hand: who held it acts on until it looks.
#[test]
fn what_is_gone_is_made_anew_only_when_its_holder_must_know() {
    let mut election = having_read(held_by("other", "1"));
    election.answered(&Ask::Get, Answer::Absent, secs(102), secs(103));
    election.answered(&Ask::Get, Answer::Absent, secs(110), secs(110));
    assert_eq!(election.next(secs(117)), Ask::Get);
    assert_eq!(election.next(secs(118)), Ask::Create);
}

/// What becomes of one request, in ms.
#[derive(Clone, Debug)]
struct Fate {
    /// Until the server hears of it; `None`: never.
    there: Option<u64>,
    /// From then until the answer is back.
    back: Option<u64>,
    /// So long the process stands still after it was sent.
    pause: u64,
    /// Somebody deletes the lease just before it arrives: once, and not before everyone has seen it. Who has never seen it has no reason to
    /// wait for its holder, and who does not see that it came back none to wait for the next.
    deleted: bool,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let delay = || prop_oneof![6 => (0..200_u64).prop_map(Some), 2 => (0..20_000_u64).prop_map(Some), 1 => Just(None)];
    let pause = prop_oneof![8 => Just(0), 1 => 0..40_000_u64];
    let fate = (delay(), delay(), pause, prop::bool::weighted(0.03)).prop_map(|(there, back, pause, deleted)| Fate {
        there,
        back,
        pause,
        deleted,
    });
    prop::collection::vec(fate, 1..40)
}

/// The API server, and what is on its way to it: that arrives even if nobody waits for it any more.
#[derive(Default)]
struct Server {
    version: u64,
    lease: Option<Record>,
    on_the_way: Vec<(u64, usize, u64, Ask, Fate)>,
    deleted: bool,
}

impl Server {
    fn observe(&mut self, ask: &Ask, who: usize) -> Answer {
        let expected = match ask {
            Ask::Get => return self.lease.clone().map_or(Answer::Absent, Answer::Is),
            Ask::Create => None,
            Ask::Hold(version) => Some(version),
        };
        if self.lease.as_ref().map(|lease| &lease.version) != expected {
            return if self.lease.is_some() { Answer::Conflict } else { Answer::Absent };
        }
        self.version += 1;
        let record = held_by(&who.to_string(), &self.version.to_string());
        self.lease = Some(record.clone());
        Answer::Is(record)
    }
}

/// A request that is waited for.
struct Asked {
    number: u64,
    ask: Ask,
    sent: u64,
    /// And when it comes.
    answer: Option<(u64, Answer)>,
}

/// A process with a clock of its own.
struct LeaderElector {
    election: Election,
    /// What its clock shows at the true time 0, and how many thousandths it goes wrong.
    offset: u64,
    skew: i64,
    fates: std::vec::IntoIter<Fate>,
    /// When it goes on: to its next request, or with the answer.
    wakes: u64,
    asked: Option<Asked>,
    has_seen_it: bool,
}

const DEADLINE: u64 = 4_000;
const RETRY: u64 = 2_000;

impl LeaderElector {
    fn clock(&self, at: u64) -> Duration {
        let wrong = i64::try_from(at).unwrap() * self.skew / 1_000;
        Duration::from_millis((self.offset + at).checked_add_signed(wrong).unwrap())
    }

    fn may_act(&self, at: u64) -> bool {
        self.election.until().is_some_and(|until| self.clock(at) < until)
    }

    fn go_on(&mut self, who: usize, now: u64, server: &mut Server) {
        if now < self.wakes {
            return;
        }
        if let Some(Asked { ask, sent, answer, .. }) = &self.asked {
            let came = answer.as_ref().filter(|(at, _)| *at <= now);
            if came.is_none() && now < sent + DEADLINE {
                return;
            }
            let answer = came.map_or(Answer::Unknown, |(_, answer)| answer.clone());
            self.has_seen_it |= matches!(answer, Answer::Is(_));
            let (sent, clock) = (self.clock(*sent), self.clock(now));
            self.election.answered(ask, answer, sent, clock);
            self.wakes = if self.election.next(clock) == Ask::Get || self.may_act(now) { now + RETRY } else { now };
            self.asked = None;
            return;
        }
        let Some(fate) = self.fates.next() else { return };
        let ask = self.election.next(self.clock(now));
        server.version += 1;
        let number = server.version;
        if let Some(there) = fate.there {
            server.on_the_way.push((now + there, who, number, ask.clone(), fate.clone()));
        }
        self.wakes = now + fate.pause;
        self.asked = Some(Asked { number, ask, sent: now, answer: None });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Clocks that are hours apart and go wrong by 2 %; requests and answers late or lost, processes that stand still.
    #[test]
    fn never_two_may_act(fates in [fates(), fates(), fates()], offsets in prop::array::uniform3(0..9_000_000_u64), skews in prop::array::uniform3(-20..20_i64)) {
        let mut server = Server::default();
        let mut candidates: Vec<LeaderElector> = fates
            .into_iter()
            .zip(offsets)
            .zip(skews)
            .enumerate()
            .map(|(n, ((fates, offset), skew))| {
                let election = Election::new(n.to_string(), timing());
                LeaderElector { election, offset, skew, fates: fates.into_iter(), wakes: 0, asked: None, has_seen_it: false }
            })
            .collect();
        for now in (0..300_000).step_by(50) {
            let arrived: Vec<_> = server.on_the_way.extract_if(.., |(at, ..)| *at <= now).collect();
            for (_, who, number, ask, fate) in arrived {
                if fate.deleted && !server.deleted && candidates.iter().all(|it| it.has_seen_it) {
                    server.deleted = true;
                    server.lease = None;
                }
                let answer = server.observe(&ask, who);
                match (&mut candidates[who].asked, fate.back) {
                    (Some(asked), Some(back)) if asked.number == number => asked.answer = Some((now + back, answer)),
                    _ => {}
                }
            }
            for (who, candidate) in candidates.iter_mut().enumerate() {
                candidate.go_on(who, now, &mut server);
            }
            let acting: Vec<usize> = (0..3).filter(|who| candidates[*who].may_act(now)).collect();
            prop_assert!(acting.len() < 2, "{acting:?} at {now} ms");
        }
    }
}
