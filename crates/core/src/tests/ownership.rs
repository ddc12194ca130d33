//! R8: one owner, whoever asks and in whatever order the others are listed.

use proptest::prelude::*;

use super::{Claimant, IdentityId, Role, role, uid};

fn claimant(name: &str) -> Claimant {
    Claimant {
        uid: uid(name),
        recorded: None,
        credential: None,
        claimed: false,
        created: false,
        born: 100,
        leaving: false,
        held: false,
        observes: false,
    }
}

fn recorded(name: &str) -> Claimant {
    Claimant { recorded: Some(IdentityId::new("id_1")), claimed: true, ..claimant(name) }
}

fn owner(of: &[Claimant]) -> String {
    let owners: Vec<_> = of.iter().filter(|c| role(&c.uid, of) == Role::Owner).collect();
    assert_eq!(owners.len(), 1, "{of:?}");
    owners[0].uid.to_string()
}

#[test]
fn s13_the_first_to_claim_stays_the_owner_though_its_uid_is_the_largest() {
    let mut all = [claimant("a"), claimant("b"), claimant("c")];
    assert_eq!(owner(&all), "a");
    all[2].claimed = true;
    assert_eq!(owner(&all), "c");
    all[2] = recorded("c");
    all[0].claimed = true;
    assert_eq!(owner(&all), "c");
}

#[test]
fn s14_the_owner_stays_the_owner_while_it_leaves() {
    let all = [Claimant { leaving: true, ..recorded("b") }, claimant("a")];
    assert_eq!(role(&uid("a"), &all), Role::Loser { owner_leaving: true, owner_recorded: true, owner_held: false });
    assert_eq!(role(&uid("b"), &all), Role::Owner);
}

/// R21: what is only observed has no right, whatever it has recorded; and alone it is nobody's loser.
#[test]
fn r21_who_observes_stands_back() {
    let observes = Claimant { observes: true, claimed: false, ..recorded("a") };
    assert_eq!(role(&uid("z"), &[observes.clone(), claimant("z")]), Role::Owner);
    assert!(matches!(role(&observes.uid, &[observes.clone(), claimant("z")]), Role::Loser { .. }));
    assert_eq!(role(&observes.uid, std::slice::from_ref(&observes)), Role::Owner);
}

#[test]
fn s40_rank() {
    let claimed = |name: &str| Claimant { claimed: true, ..claimant(name) };
    let old = |c: Claimant| Claimant { born: 1, ..c };
    let created = |c: Claimant| Claimant { created: true, ..c };
    let unmarked = |c: Claimant| Claimant { claimed: false, ..c };
    for (winner, loser) in [
        // Who was only observed comes back without a claim (R21).
        (recorded("z"), old(created(unmarked(recorded("a"))))),
        (unmarked(recorded("z")), old(created(claimed("a")))),
        (recorded("z"), old(created(claimed("a")))),
        (claimed("z"), old(created(claimant("a")))),
        (created(recorded("z")), old(recorded("a"))),
        (old(recorded("z")), recorded("a")),
        (recorded("a"), recorded("z")),
        (old(claimant("z")), claimant("a")),
    ] {
        assert_eq!(owner(&[loser.clone(), winner.clone()]), winner.uid.to_string());
        assert_eq!(owner(&[winner.clone(), loser.clone()]), winner.uid.to_string());
        let is_recorded = winner.recorded.is_some();
        let expected = Role::Loser { owner_leaving: false, owner_recorded: is_recorded, owner_held: false };
        assert_eq!(role(&loser.uid, &[loser.clone(), winner]), expected);
    }
}

#[test]
fn alone_owns_and_an_unlisted_one_yields() {
    assert_eq!(role(&uid("a"), &[]), Role::Owner);
    assert_eq!(role(&uid("a"), &[claimant("a")]), Role::Owner);
    assert!(matches!(role(&uid("a"), &[claimant("b")]), Role::Loser { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn there_is_exactly_one(all in prop::collection::btree_map("[a-d]", (any::<bool>(), any::<bool>(), any::<bool>(), 0..3_i64), 1..4)) {
        let list: Vec<_> = all.into_iter().map(|(name, (has, claimed, created, born))| Claimant {
            recorded: has.then(|| IdentityId::new("id_1")), claimed, created, born, ..claimant(&name)
        }).collect();
        let first = owner(&list);
        let turned: Vec<_> = list.into_iter().rev().collect();
        prop_assert_eq!(owner(&turned), first);
    }
}
