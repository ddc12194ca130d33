//! A rollback: this build starts over what a later version might have left, on the real parts.

use serde_json::{Value, json};

use super::fixtures::{Fixture, of, releases};
use super::harness::{Cost, World};
use super::restore::{credential, restore};

const LATER: &str = "v2:00112233445566778899aabbccddeeff";

/// An object that is Ready, of the latest release, as `change` leaves it.
fn changed(name: &str, change: impl Fn(&mut Value)) -> Fixture {
    let release = releases().pop().unwrap();
    let mut fixture = of(&release).into_iter().find(|fixture| fixture.name == "created").unwrap();
    change(&mut fixture.object);
    fixture.object["spec"]["externalId"] = json!(name);
    fixture.object["metadata"]["name"] = json!(name);
    Fixture { name: name.to_owned(), ..fixture }
}

/// The name of an object, what a later version wrote into it, and how often it is claimed anew.
type Later = (&'static str, fn(&mut Value), usize);

fn later_hashes(object: &mut Value) {
    object["status"]["applied"] = json!({"meta": LATER, "ratelimits": LATER});
    let claim = &mut object["metadata"]["annotations"]["unkey.com/claim"];
    let uid = claim.as_str().unwrap().split(':').next().unwrap().to_owned();
    *claim = json!(format!("{uid}:{LATER}:"));
}

fn later_claim(object: &mut Value) {
    object["metadata"]["annotations"]["unkey.com/claim"] = json!("2;sha;whose");
}

fn later_words(object: &mut Value) {
    object["status"]["conditions"][0]["reason"] = json!("Harmonised");
}

#[tokio::test]
async fn does_not_take_what_is_unknown_for_changed_or_lost() {
    let world = World::in_order("rollback").await;
    let credential = credential(&world).await;
    // A claim that cannot be read is put on anew, once; Unkey has no part in that.
    let later: [Later; 3] = [("hashes", later_hashes, 0), ("claim", later_claim, 1), ("words", later_words, 0)];
    let mut ids = Vec::new();
    for (name, change, claims) in later {
        restore(&world, &changed(name, change), &credential).await;
        ids.push((name, world.upstream(name)["id"].clone(), claims));
    }
    let _operator = world.start().await;
    world.barrier().await;
    for (name, id, claims) in &ids {
        let cost = world.cost(name);
        // A status may be told anew in this build's own words.
        assert_eq!(Cost { status: 0, ..cost }, Cost { main: *claims, ..Cost::NOTHING }, "{name}: {cost:?}");
        assert_eq!(world.ready(name).await["status"]["identityId"], *id, "{name}");

        world.edit(name, &json!({"meta": {"plan": "free"}})).await;
        let object = world.ready(name).await;
        assert_eq!(
            (&object["status"]["identityId"], &world.upstream(name)["id"]),
            (id, id),
            "{name}: the same identity"
        );
        assert_eq!(world.upstream(name)["meta"]["plan"], "free", "{name}");
        assert!(
            object["status"]["applied"]["meta"].as_str().unwrap().starts_with("v1:"),
            "{name}: this build's own hash"
        );
        let cost = world.cost_so_far(name).await;
        assert_eq!((cost.creates, cost.updates, cost.deletes), (0, 1, 0), "{name}: {cost:?}");

        world.delete(name).await;
        world.gone(name).await;
        assert_eq!(world.upstream(name), Value::Null, "{name}: not left behind");
    }
}
