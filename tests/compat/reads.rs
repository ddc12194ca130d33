//! This build reads what every release wrote, word for word.

use serde_json::Value;
use unkey_operator::api::Reason;
use unkey_operator::controller::RawIdentity;
use unkey_operator::domain::{ClaimState, FieldHash, Mono, Object, Phase};

use super::fixtures::{Fixture, all};
use super::harness::condition;

/// An object as a decision sees it.
#[allow(clippy::default_trait_access)] // the type of what remembers reconcile requests has no name out here
pub fn read(object: &Value) -> Object {
    let snapshot: RawIdentity = serde_json::from_value(object.clone()).unwrap();
    snapshot.read(Mono::ZERO, &Default::default(), &mut Default::default())
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

/// The claim, taken apart as format 1 is described: uid, `v1:` and a digest, the id given up or nothing.
fn claim(object: &Value) -> Option<(String, String, Option<String>)> {
    let claim = text(object, "/metadata/annotations/unkey.com~1claim")?;
    let [uid, version, digest, given_up] = claim.split(':').collect::<Vec<_>>()[..] else { panic!("{claim}") };
    let given_up = (!given_up.is_empty()).then(|| given_up.to_owned());
    Some((uid.to_owned(), format!("{version}:{digest}"), given_up))
}

#[test]
fn claims() {
    for fixture in all() {
        let Fixture { object, .. } = &fixture;
        let read = read(object);
        let Some((uid, hash, given_up)) = claim(object) else {
            assert_eq!((read.claim, read.finalizer), (ClaimState::Absent, false), "{}", fixture.title());
            continue;
        };
        let own = read.claim.own().unwrap_or_else(|| panic!("{}: {:?}", fixture.title(), read.claim));
        assert_eq!(Some(uid.as_str()), text(object, "/metadata/uid"), "{}", fixture.title());
        assert_eq!(own.hash.as_str(), hash, "{}", fixture.title());
        assert_eq!(own.given_up.as_ref().map(|id| id.as_str().to_owned()), given_up, "{}", fixture.title());
        assert_eq!(own.render(&read.guard.uid), text(object, "/metadata/annotations/unkey.com~1claim").unwrap());
        assert!(read.finalizer, "{}", fixture.title());
        // None of them was edited since: the content has the hash that it had then.
        assert_eq!(own.hash, *read.spec.as_ref().unwrap().content_hash(), "{}", fixture.title());
    }
}

#[test]
fn statuses() {
    for fixture in all() {
        let (title, object) = (fixture.title(), &fixture.object);
        let read = read(object);
        let Some(uid) = text(object, "/status/uid") else {
            assert_eq!(fixture.name, "claimed", "only an object without a visit to its end has no status");
            assert!(read.recorded.own().is_none() && read.held().is_none() && !read.at_rest());
            continue;
        };
        assert_eq!(Some(uid), text(object, "/metadata/uid"), "{title}");
        let record = read.recorded.own().unwrap_or_else(|| panic!("{title}: not its own"));
        assert_eq!(Some(record.generation), object["status"]["observedGeneration"].as_i64(), "{title}");
        assert_eq!(record.handled_request.as_deref(), text(object, "/status/lastHandledReconcileAt"), "{title}");
        let policy = record.deletion.map(|policy| format!("{policy:?}"));
        assert_eq!(policy.as_deref(), text(object, "/status/deletionPolicy"), "{title}");

        let held = record.held.as_ref();
        let [id, key] = ["/status/identityId", "/spec/externalId"].map(|pointer| text(object, pointer));
        assert_eq!(held.map(|held| held.identity.id().as_str()), id, "{title}");
        assert_eq!(held.map(|held| held.identity.external_id().as_str()), id.and(key), "{title}");
        let origin = held.and_then(|held| held.origin).map(|origin| format!("{origin:?}"));
        assert_eq!(origin.as_deref(), text(object, "/status/origin"), "{title}");
        assert_eq!(held.and_then(|held| held.credential.as_deref()), text(object, "/status/credential"), "{title}");
        let applied = held.map(|held| held.fields.applied()).unwrap_or_default();
        let [meta, limits] = [applied.meta.as_ref(), applied.limits.as_ref()].map(|hash| hash.map(FieldHash::as_str));
        assert_eq!(meta, text(object, "/status/applied/meta"), "{title}");
        assert_eq!(limits, text(object, "/status/applied/ratelimits"), "{title}");
        assert_eq!(read.held().is_some(), id.is_some(), "{title}: what is held is not what was given up");

        let (ready, is) = (condition(object, "Ready"), |kind| condition(object, kind)["status"] == "True");
        assert_eq!(record.shown.reason.map(Reason::as_str), ready["reason"].as_str(), "{title}");
        assert_eq!(Some(record.shown.message.as_str()), ready["message"].as_str(), "{title}");
        assert_eq!((record.shown.ready, record.shown.stalled), (is("Ready"), is("Stalled")), "{title}");
        assert_eq!(record.shown.suspended, is("Suspended"), "{title}");
        let deleting = text(object, "/metadata/deletionTimestamp").is_some();
        assert_eq!(read.phase, if deleting { Phase::Deleting } else { Phase::Live }, "{title}");
        // Nothing to send: what was accepted is what the spec asks for.
        if record.shown.ready {
            assert!(read.at_rest() && applied == *read.spec.as_ref().unwrap().hashes(), "{title}");
        }
    }
}

/// The files show what they are named after.
#[test]
fn every_situation_is_there() {
    for fixture in all() {
        let object = &fixture.object;
        let (reason, is) =
            (condition(object, "Ready")["reason"].clone(), |kind| condition(object, kind)["status"] == "True");
        let shown = match fixture.name.as_str() {
            "created" => is("Ready") && object["status"]["origin"] == "Created",
            "adopted" => is("Ready") && object["status"]["origin"] == "Adopted",
            "unmanaged" => is("Ready") && object["status"].get("applied").is_none(),
            "recreated" => is("Ready") && claim(object).is_some_and(|(_, _, given_up)| given_up.is_some()),
            "exists" => is("Stalled") && reason == "AlreadyExists",
            "conflicting" => is("Stalled") && reason == "ExternalIdConflict",
            "suspended" => is("Suspended") && object["status"].get("identityId").is_some(),
            "deleting" => object["metadata"].get("deletionTimestamp").is_some() && read(object).finalizer,
            "claimed" => claim(object).is_some() && object["status"].get("identityId").is_none(),
            name => panic!("{name}"),
        };
        assert!(shown, "{}: {object:#}", fixture.title());
    }
}
