//! Who claims an externalId, and who holds the lock.

use super::*;

fn entry(name: &str, version: u64, recorded: Option<&str>) -> ClaimEntry<u64> {
    let claimant = Claimant {
        uid: uid(name),
        recorded: recorded.map(IdentityId::new),
        credential: recorded.map(|_| "key".into()),
        claimed: true,
        created: true,
        born: 0,
        leaving: false,
        held: false,
        observes: false,
    };
    ClaimEntry { claimant, version, extra: version }
}

fn put(claims: &mut Claims<u64>, workspace: &mut Workspace, entry: ClaimEntry<u64>, source: Source) -> Taken {
    claims.put(entry, source, workspace, |known, new| *known = new)
}

#[test]
fn a_version_is_taken_if_it_is_newer_and_from_a_listing_in_any_case() {
    let (mut claims, mut workspace) = (Claims::default(), Workspace::default());
    let mut put = |entry, source| put(&mut claims, &mut workspace, entry, source);
    assert_eq!(put(entry("a", 5, None), Source::Reply), Taken::Unknown, "only a watch adds");
    assert_eq!(put(entry("a", 5, None), Source::Watch), Taken::Changed);
    assert_eq!(put(entry("a", 6, None), Source::Reply), Taken::Same);
    assert_eq!(put(entry("a", 5, Some("id_1")), Source::Watch), Taken::Older);
    assert_eq!(put(entry("a", 4, Some("id_1")), Source::Listing), Taken::Changed);
    assert_eq!(claims.entries()[0].extra, 4);
}

#[test]
fn the_keys_under_which_ids_are_recorded_are_kept_account_of() {
    let (mut claims, mut workspace) = (Claims::default(), Workspace::new(Some("other".to_owned()), false));
    put(&mut claims, &mut workspace, entry("a", 1, None), Source::Watch);
    assert!(workspace.unproven().is_empty());
    put(&mut claims, &mut workspace, entry("a", 2, Some("id_1")), Source::Reply);
    assert_eq!(workspace.unproven(), [Some("key".to_owned())]);
    claims.remove(&uid("a"), &mut workspace);
    assert!(workspace.unproven().is_empty() && claims.entries().is_empty());
}

#[test]
fn a_turn_is_taken_once() {
    let mut claims: Claims<u64> = Claims::default();
    assert!(claims.try_telling() && claims.is_telling() && !claims.try_lock() && !claims.try_telling());
    claims.unlock();
    assert!(claims.try_lock() && !claims.is_telling() && !claims.try_lock());
}

#[test]
fn what_may_still_matter_is_not_forgotten() {
    let (mut claims, mut workspace) = (Claims::default(), Workspace::default());
    let window = ms(1_000);
    let old = Knowledge::default();
    let young = Knowledge { evidence_from: Evidence::Since(Mono(5_000)), ..Knowledge::default() };
    let forgets = |claims: &Claims<u64>, known: Option<&Knowledge>| claims.forgets(known, Mono(5_500), window);
    assert_eq!(forgets(&claims, None), Forgets::All);
    assert_eq!(forgets(&claims, Some(&old)), Forgets::All);
    assert_eq!(forgets(&claims, Some(&young)), Forgets::Nothing, "a read could be misled yet");
    put(&mut claims, &mut workspace, entry("a", 1, None), Source::Watch);
    assert_eq!(forgets(&claims, Some(&old)), Forgets::Known);
    assert_eq!(forgets(&claims, None), Forgets::Nothing);
    claims.try_lock();
    assert_eq!(forgets(&claims, Some(&old)), Forgets::Nothing, "somebody works with it");
}
