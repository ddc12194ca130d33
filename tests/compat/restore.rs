//! An object that a release wrote, put back into a world.

#[path = "../support/restored.rs"]
mod restored;

use serde_json::{Value, json};

use self::restored::Place;
use super::fixtures::Fixture;
use super::harness::World;

/// The fingerprint of this world's root key, as an operator of this build writes it.
pub async fn credential(world: &World) -> String {
    let operator = world.start().await;
    world.create("probe", &json!({"externalId": "probe"})).await;
    let credential = world.ready("probe").await["status"]["credential"].as_str().unwrap().to_owned();
    assert!(operator.terminate().await.success());
    credential
}

/// Restores an object and its identity while no operator runs; the object as it then is.
pub async fn restore(world: &World, fixture: &Fixture, credential: &str) -> Value {
    let (client, namespace, workspace) = (&world.client, &*world.namespace, &world.workspace);
    Place { client, namespace, workspace, credential }.restore(&fixture.object, fixture.name == "exists").await
}
