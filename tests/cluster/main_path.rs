//! Create, update, delete, and what each costs.

use serde_json::json;

use super::harness::World;

#[tokio::test]
async fn create_minimal() {
    let world = World::new("create-minimal").await;
    let _operator = world.start().await;
    world.create("minimal", &json!({"externalId": "minimal"})).await;
    let object = world.ready("minimal").await;
    assert_eq!(object["status"]["origin"], "Created");
    assert_eq!(object["status"]["deletionPolicy"], "Delete");
    let upstream = world.workspace.live("minimal").expect("the identity in Unkey");
    assert_eq!(object["status"]["identityId"], upstream.id.as_str());
    assert_eq!(world.calls(), [1, 0, 0, 0, 0]);
    assert_eq!(world.kube_writes(), (1, 1));
}
