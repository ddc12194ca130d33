//! The root key shows nowhere, whatever happens and however much is logged.

use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams};
use serde_json::json;
use unkey_emulator::{Fault, Operation, Permissions};

use super::harness::{ROOT_KEY, World, refusal};

const SECOND_KEY: &str = "unkey_root_second_5be1";
const LATER_KEY: &str = "unkey_root_later_c07d";

#[tokio::test]
async fn the_root_key_shows_nowhere() {
    let filter = "trace,hyper=trace,hyper_util=trace,reqwest=trace,kube_client=trace,kube_runtime=trace,rustls=trace,tower=trace";
    let world = World::new("secrecy").await.with_args(&["--log-level", filter]);
    let mut operator = world.start().await;
    // A server that quotes the key back.
    let parrot = refusal(400, "application/invalid_input", &format!("what is 'Bearer {ROOT_KEY}' supposed to be"));
    world.workspace.order(Fault::new(parrot).on(Operation::Create).of("parrot").once());
    for name in ["plain", "parrot"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
    }
    world.ready("plain").await;
    world.reason("parrot", "Rejected").await;
    world.emulator.revoke(ROOT_KEY);
    world.edit("plain", &json!({"meta": {"n": 2}})).await;
    world.reason("plain", "Unauthorized").await;
    world.workspace.add_root_key(SECOND_KEY, Permissions::ALL);
    world.write_key(SECOND_KEY);
    world.ready("plain").await;
    std::fs::write(world.key_file(), format!("{LATER_KEY} and more")).unwrap();
    operator.until_readyz(503, "root key").await;
    world.write_key(SECOND_KEY);
    world.delete("plain").await;
    world.gone("plain").await;

    let objects = json!(world.list().await).to_string();
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    let events = events.list(&ListParams::default()).await.unwrap();
    assert!(!events.items.is_empty(), "Stalled makes an event");
    let events = serde_json::to_string(&events.items).unwrap();
    let (metrics, readyz) = (operator.http("/metrics").await.body, operator.http("/readyz").await.body);
    operator.signal("TERM");
    assert!(operator.ended().await.success());
    let log = operator.log();
    assert!(log.contains("TRACE"), "the filter works");
    for (place, text) in
        [("objects", objects), ("events", events), ("metrics", metrics), ("readyz", readyz), ("log", log)]
    {
        for key in [ROOT_KEY, SECOND_KEY, LATER_KEY] {
            let line = text.lines().find(|line| line.contains(key));
            assert_eq!(line, None, "{place}");
        }
    }
}
