//! The claim annotation: round trip, and what is not one's own.

use super::{Claim, ClaimState, Content, ContentHash, IdentityId, uid};

#[test]
fn round_trip() {
    for hash in [Content::default().hash(), ContentHash::parse("v9:ff"), ContentHash::parse("")] {
        for given_up in [None, Some(IdentityId::new("id_abc123456"))] {
            let claim = Claim { hash: hash.clone(), given_up };
            let text = claim.render(&uid("0b1e-77"));
            assert_eq!(ClaimState::parse(Some(&text), &uid("0b1e-77")), ClaimState::Own(claim.clone()), "{text}");
            assert_eq!(ClaimState::parse(Some(&text), &uid("0b1e-78")), ClaimState::Foreign, "{text}");
            assert_eq!(ClaimState::parse(Some(&text), &uid("0b1e-7")), ClaimState::Foreign, "a prefix is another uid");
        }
    }
}

#[test]
fn what_it_looks_like() {
    let claim = Claim { hash: ContentHash::parse("v1:aa"), given_up: Some(IdentityId::new("id_1")) };
    assert_eq!(claim.render(&uid("u")), "u:v1:aa:id_1");
    assert_eq!(Claim { given_up: None, ..claim }.render(&uid("u")), "u:v1:aa:");
}

#[test]
fn what_cannot_be_read_is_foreign() {
    assert_eq!(ClaimState::parse(None, &uid("u")), ClaimState::Absent);
    for garbage in ["", "u", ":", "::", "u:", "other:v1:aa:", " u:v1:aa:", "U:v1:aa:", "\u{0}", "{}"] {
        assert_eq!(ClaimState::parse(Some(garbage), &uid("u")), ClaimState::Foreign, "{garbage:?}");
        assert_eq!(ClaimState::parse(Some(garbage), &uid("u")).own(), None);
    }
}

#[test]
fn a_hash_of_another_version_equals_none_of_ours() {
    let ClaimState::Own(claim) = ClaimState::parse(Some("u:v2:aa:id_1"), &uid("u")) else { panic!("own") };
    assert_ne!(claim.hash, Content::default().hash());
    assert_eq!(claim.given_up, Some(IdentityId::new("id_1")));
}
