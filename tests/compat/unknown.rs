//! A rollback meets what a later version wrote. What cannot be read counts as unknown, and never as different or lost.

use serde_json::{Value, json};
use unkey_operator::domain::{ClaimState, Field, Fields};

use super::fixtures::{Fixture, all};
use super::reads::read;

/// The Ready ones that hold all there is to hold.
fn ready() -> Vec<Fixture> {
    let found: Vec<Fixture> = all()
        .into_iter()
        .filter(|fixture| ["created", "adopted", "recreated"].contains(&fixture.name.as_str()))
        .collect();
    assert!(!found.is_empty());
    found
}

fn changed(fixture: &Fixture, change: impl Fn(&mut Value)) -> Value {
    let mut object = fixture.object.clone();
    change(&mut object);
    assert_ne!(object, fixture.object, "nothing was changed");
    object
}

#[test]
fn a_later_hash_is_unknown() {
    for fixture in ready() {
        let before = read(&fixture.object);
        let later = read(&changed(&fixture, |it| it["status"]["applied"]["meta"] = json!("v2:00ff")));
        let (was, is) = (before.held().unwrap(), later.held().unwrap());
        assert_eq!(is.fields.meta, Field::Managed(None), "{}: not a hash that differs", fixture.title());
        assert_eq!((&is.fields.limits, &is.identity), (&was.fields.limits, &was.identity), "{}", fixture.title());
        assert!(later.at_rest(), "{}: Ready is believed", fixture.title());
    }
}

/// R18: a field that a later version was about to write, or lists in its own way, is managed, and its content unknown.
#[test]
fn a_later_hash_of_what_is_pending_is_unknown_and_managed() {
    for fixture in ready() {
        let later = read(&changed(&fixture, |it| {
            it["status"].as_object_mut().unwrap().remove("applied");
            it["status"]["managed"] = json!(["tags"]);
            it["status"]["pending"] = json!({"meta": "v2:00ff", "tags": "v2:00ff"});
        }));
        let fields = &later.held().unwrap().fields;
        let expected = Fields { meta: Field::Managed(None), limits: Field::Unmanaged };
        assert_eq!(*fields, expected, "{}", fixture.title());
    }
}

#[test]
fn a_later_hash_in_a_claim_is_nobodys_content() {
    for fixture in ready() {
        let before = read(&fixture.object);
        let later = read(&changed(&fixture, |it| {
            let claim = &mut it["metadata"]["annotations"]["unkey.com/claim"];
            *claim = json!(claim.as_str().unwrap().replace(":v1:", ":v2:"));
        }));
        let (was, is) = (before.claim.own().unwrap(), later.claim.own().expect("its own still"));
        assert_eq!(is.given_up, was.given_up, "{}", fixture.title());
        assert_ne!(is.hash, *later.spec.as_ref().unwrap().content_hash(), "{}", fixture.title());
        assert_eq!(later.held(), before.held(), "{}", fixture.title());
    }
}

#[test]
fn a_claim_of_a_later_form_takes_nothing_away() {
    for fixture in ready() {
        for form in ["2;uid;sha", "{\"v\":2}", ""] {
            let later = read(&changed(&fixture, |it| it["metadata"]["annotations"]["unkey.com/claim"] = json!(form)));
            assert_eq!(later.claim, ClaimState::Foreign, "{}: {form:?}", fixture.title());
            assert_eq!(later.held(), read(&fixture.object).held(), "{}: {form:?}", fixture.title());
            assert!(later.at_rest(), "{}", fixture.title());
        }
    }
}

#[test]
fn later_fields_and_words_change_nothing_else() {
    for fixture in ready() {
        let before = read(&fixture.object);
        let later = read(&changed(&fixture, |it| {
            it["status"]["later"] = json!({"deep": [1, {"a": null}]});
            it["status"]["applied"]["tags"] = json!("v1:00");
            it["status"]["conditions"].as_array_mut().unwrap().push(json!({
                "type": "Later", "status": "Unknown", "reason": "New", "message": "", "severity": "low",
                "lastTransitionTime": "2027-01-01T00:00:00Z",
            }));
            it["spec"]["later"] = json!(true);
            it["metadata"]["annotations"]["unkey.com/later"] = json!("x");
        }));
        assert_eq!(later.recorded, before.recorded, "{}", fixture.title());
        assert_eq!((&later.claim, &later.spec), (&before.claim, &before.spec), "{}", fixture.title());
        let later = read(&changed(&fixture, |it| {
            it["status"]["origin"] = json!("Imported");
            it["status"]["deletionPolicy"] = json!("Archive");
            it["status"]["conditions"][0]["reason"] = json!("Harmonised");
        }));
        let record = later.recorded.own().unwrap();
        assert_eq!((record.deletion, record.shown.reason), (None, None), "{}", fixture.title());
        let (was, is) = (before.held().unwrap(), later.held().unwrap());
        assert_eq!((&is.identity, &is.fields, is.origin), (&was.identity, &was.fields, None), "{}", fixture.title());
        assert!(later.at_rest(), "{}", fixture.title());
    }
}
