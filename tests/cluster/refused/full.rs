//! An object that is as large as the storage takes.

use serde_json::{Value, json};

use super::lines;
use crate::harness::{World, identity};

/// etcd takes 1.5 MiB by default, less than the API server lets in: an object that just fits has no room for the claim, nor for a status.
#[tokio::test]
async fn an_object_that_is_full_is_told_by_an_event() {
    const PADDING: &str = "example.com/padding";
    let world = World::new("full").await;
    // The largest meta, labels for the rest, and an annotation for the last bytes, short of what all annotations may hold.
    let meta = json!({"m": "m".repeat(1_000_000)});
    let labels: serde_json::Map<String, Value> = (0..5_000).map(|n| (format!("l{n}"), json!("v".repeat(60)))).collect();
    let made = async |bytes: usize| {
        let mut manifest = identity("full", &json!({"externalId": "full", "meta": meta}));
        manifest["metadata"]["labels"] = Value::Object(labels.clone());
        manifest["metadata"]["annotations"] = json!({PADDING: "a".repeat(bytes)});
        world.try_create(&manifest).await.is_ok()
    };
    let (mut fits, mut too_much) = (0, 240_000);
    assert!(made(fits).await, "it fits");
    world.delete("full").await;
    assert!(!made(too_much).await, "it does not fit");
    while fits + 20 < too_much {
        let bytes = fits.midpoint(too_much);
        if made(bytes).await {
            fits = bytes;
            world.delete("full").await;
        } else {
            too_much = bytes;
        }
    }
    assert!(made(fits).await, "{fits} bytes fit");
    let operator = world.start().await;
    let told = world.event("full", "WriteRefused").await.note;
    assert!(told.contains("too large"), "{told}");
    assert_eq!(world.get("full").await.unwrap()["status"]["conditions"], Value::Null);
    assert_eq!((world.workspace.requests().len(), lines(&operator, "full", "ERROR")), (0, 0), "{}", operator.log());
    world.patch("full", &json!({"metadata": {"annotations": {PADDING: null}}})).await;
    world.ready("full").await;
    world.assert_in_step().await;
}
