//! Whole histories of deletions, against an account of their own.

use proptest::prelude::*;

use super::*;

/// What may happen to a few objects of a few namespaces.
#[derive(Clone, Copy, Debug)]
enum Act {
    Delete(usize, usize),
    Stop(usize, usize, bool),
    Record(usize, bool),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        8 => (0..3_usize, 0..6_usize).prop_map(|(namespace, n)| Act::Delete(namespace, n)),
        2 => (0..3_usize, 0..6_usize, any::<bool>()).prop_map(|(namespace, n, approves)| Act::Stop(namespace, n, approves)),
        3 => (0..3_usize, any::<bool>()).prop_map(|(namespace, comes)| Act::Record(namespace, comes)),
        4 => prop_oneof![Just(1_u64), Just(10), Just(90), Just(601)].prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 0..120)
}

/// What was sent, and how much was recorded, each with its moment; kept by nothing but this test.
#[derive(Default)]
struct Account {
    sent: Vec<(Mono, usize)>,
    recorded: Vec<(Mono, [usize; 3])>,
}

impl Account {
    /// So many of `namespaces` went within the window that ends now.
    fn sent(&self, namespaces: &[usize], now: Mono) -> usize {
        self.sent.iter().filter(|(at, of)| at.after(WINDOW) > now && namespaces.contains(of)).count()
    }

    fn most(&self, namespaces: &[usize], now: Mono) -> usize {
        let sum = |counts: &[usize; 3]| namespaces.iter().map(|of| counts[*of]).sum::<usize>();
        let mut most = 0;
        for (n, (_, counts)) in self.recorded.iter().enumerate() {
            // What was recorded until then, and a sixty-fourth of the window longer.
            let until = self.recorded.get(n + 1).map_or(now, |(at, _)| *at);
            if until.after(WINDOW + WINDOW / 64) >= now {
                most = most.max(sum(counts));
            }
        }
        most
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// No history lets more go within a window than the limits allow, of a namespace as of all; and the sums are right.
    #[test]
    fn r20_no_history_exceeds_the_limits(acts in acts(), most in 1..4_usize, share in prop_oneof![Just(0.0), Just(0.5)]) {
        let mut driven = Driven::new(most, share);
        let (mut now, mut account, mut recorded) = (Mono::ZERO, Account::default(), [0; 3]);
        account.recorded.push((now, recorded));
        let names = ["a", "b", "c"];
        for act in acts {
            match act {
                Act::Wait(seconds) => now = now.after(Duration::from_secs(seconds)),
                Act::Record(of, comes) => {
                    if comes || recorded[of] > 0 {
                        driven.0.moves(names[of], comes, !comes, now);
                        recorded[of] = if comes { recorded[of] + 1 } else { recorded[of] - 1 };
                        account.recorded.push((now, recorded));
                    }
                }
                Act::Stop(of, n, approves) if approves => driven.approve(names[of], n, now),
                Act::Stop(of, n, _) => driven.keep(names[of], n, now),
                Act::Delete(of, n) => {
                    if driven.look(names[of], n, now) == DeletionGate::Open {
                        let again = driven.0.namespaces[names[of]].sent.contains_key(&uid(names[of], n));
                        driven.send(names[of], n, now);
                        if !again {
                            account.sent.push((now, of));
                        }
                    }
                }
            }
            let of_all = limits(most, share).limit(account.most(&[0, 1, 2], now));
            let mut sum = 0;
            for (of, name) in names.iter().enumerate() {
                let limit = limits(most, share).limit(account.most(&[of], now));
                let sent = account.sent(&[of], now);
                prop_assert!(sent <= limit, "{sent} of {name} went, limit {limit}");
                sum += sent;
            }
            // Of all together at most their own limit, and that of each namespace that had an episode of its own.
            prop_assert!(sum <= of_all + most * 3, "{sum} went, limit {of_all}");
            let others = driven.0.namespaces.values().filter(|of| of.episode.is_none());
            let mut tally = Tally::default();
            others.for_each(|of| tally += of.tally());
            prop_assert_eq!(tally, driven.0.others);
        }
    }
}
