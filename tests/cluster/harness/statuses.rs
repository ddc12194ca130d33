//! Every status that was ever shown, by a watch: what a poll would miss.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use kube::Api;
use kube::api::{DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::{World, condition};

/// Follows the Identities of a world from now on.
pub struct Statuses {
    shown: Arc<Mutex<Vec<Value>>>,
    following: JoinHandle<()>,
}

impl Statuses {
    /// Begins to follow.
    pub async fn follow(world: &World) -> Self {
        let kind = GroupVersionKind::gvk("unkey.com", "v1alpha1", "Identity");
        let kind = ApiResource::from_gvk_with_plural(&kind, "identities");
        let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &kind);
        let now = api.list(&ListParams::default()).await.unwrap();
        let shown = Arc::new(Mutex::new(
            now.items.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect::<Vec<_>>(),
        ));
        let since = now.metadata.resource_version.unwrap();
        let seen = Arc::clone(&shown);
        let following = tokio::spawn(async move {
            let mut events = std::pin::pin!(api.watch(&WatchParams::default(), &since).await.unwrap());
            while let Some(event) = events.next().await {
                if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event.unwrap() {
                    let object = serde_json::to_value(object).unwrap();
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(object);
                }
            }
        });
        Self { shown, following }
    }

    /// Where Ready turned False although nothing was asked for: no other generation, and no deletion.
    pub fn flaps(&self) -> Vec<String> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut flaps = Vec::new();
        for (at, now) in shown.iter().enumerate() {
            let same = |it: &&Value| it["metadata"]["uid"] == now["metadata"]["uid"];
            let Some(before) = shown[..at].iter().rev().find(same) else { continue };
            let (was, is) = (condition(before, "Ready"), condition(now, "Ready"));
            let asked = now["metadata"]["generation"] != was["observedGeneration"];
            if was["status"] == "True" && is["status"] == "False" && !asked {
                flaps.push(format!("{} from {} to {}", now["metadata"]["name"], was["reason"], is));
            }
        }
        flaps
    }
}

impl Drop for Statuses {
    fn drop(&mut self) {
        self.following.abort();
    }
}
