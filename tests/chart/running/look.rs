//! What is to be seen in a world: who leads, how containers do, how many are ready, and what was asked of whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use controlplane::AuditEvent;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use unkey_emulator::Operation;

use super::world::World;
use crate::harness::{RELEASE, eventually};

/// Ready, and to stay.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

impl World {
    /// The status of a Pod's container.
    pub async fn container(&self, pod: &str) -> ContainerStatus {
        let pod = self.api().get(pod).await.unwrap();
        pod.status.and_then(|status| status.container_statuses?.pop()).unwrap()
    }

    /// Waits until a Pod's container was started again and is ready; how the first one ended.
    pub async fn until_restarted(&self, pod: &str) -> i32 {
        let again = eventually(&format!("{pod} to be restarted"), async || {
            Some(self.container(pod).await).filter(|it| it.ready && it.restart_count == 1)
        })
        .await;
        again.last_state.unwrap().terminated.unwrap().exit_code
    }

    /// Waits until the nodelet has told of a Pod what has these words.
    pub async fn told(&self, reason: &str, words: &str) {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        eventually(&format!("an event {reason} with '{words}'"), async || {
            let all = events.list(&ListParams::default()).await.unwrap().items;
            let is_it = |event: &Event| {
                event.reason.as_deref() == Some(reason) && event.message.as_deref().unwrap_or_default().contains(words)
            };
            all.iter().any(is_it).then_some(())
        })
        .await;
    }

    /// Who signs the lease: the Pod, and its process behind an underscore.
    pub async fn holder(&self) -> Option<String> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        leases.get_opt(RELEASE).await.unwrap()?.spec?.holder_identity
    }

    /// Waits until somebody other than `before` signs; that holder.
    pub async fn led_by_other_than(&self, before: &str) -> String {
        eventually(&format!("another leader than {before}"), async || {
            self.holder().await.filter(|holder| holder != before)
        })
        .await
    }

    /// Waits until one of the ready Pods says that it leads, and no other does; that Pod.
    pub async fn leader(&self) -> String {
        eventually("one leader", async || {
            let mut leaders = Vec::new();
            for pod in self.pods().await.iter().filter(|pod| is_ready(pod)) {
                if self.metrics(pod).await?.lines().any(|line| line == "unkey_operator_leader 1") {
                    leaders.push(pod.name_any());
                }
            }
            let holder = self.holder().await?;
            let signed = leaders.first().is_some_and(|leader| holder.starts_with(&format!("{leader}_")));
            if leaders.len() == 1 && signed { leaders.pop() } else { None }
        })
        .await
    }

    async fn metrics(&self, pod: &Pod) -> Option<String> {
        self.ask(pod, "/metrics").await
    }

    /// What the admin server of a Pod answers, head and all.
    pub async fn ask(&self, pod: &Pod, path: &str) -> Option<String> {
        let address = pod.status.as_ref()?.pod_ip.as_ref()?;
        let port = pod.spec.as_ref()?.containers[0].ports.as_ref()?[0].container_port;
        let ask = async {
            let mut stream = TcpStream::connect(format!("{address}:{port}")).await.ok()?;
            let request = format!("GET {path} HTTP/1.1\r\nhost: pod\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            Some(answer)
        };
        // One that is frozen takes the question and never answers.
        timeout(Duration::from_secs(3), ask).await.ok().flatten()
    }

    /// Counts ready Pods from now on, at each change of one; the fewest.
    pub async fn fewest_ready(&self) -> (Arc<AtomicUsize>, JoinHandle<()>) {
        let begun = self.ready_pods().await;
        let fewest = Arc::new(AtomicUsize::new(begun.len()));
        let (seen, pods) = (Arc::clone(&fewest), self.api());
        let watching = tokio::spawn(async move {
            let mut ready = begun;
            let changes = watcher(pods, watcher::Config::default()).default_backoff();
            let mut pods = changes.touched_objects().boxed();
            while let Some(pod) = pods.try_next().await.unwrap() {
                if is_ready(&pod) {
                    ready.insert(pod.name_any());
                } else {
                    ready.remove(&pod.name_any());
                }
                seen.fetch_min(ready.len(), Ordering::SeqCst);
            }
        });
        (fewest, watching)
    }

    /// Each of these was created by one request, and no other changed it. Who finds a claim that another process has put on looks once more.
    pub fn assert_created_once(&self, names: &[String]) {
        let counts = self.workspace.counts().by_identity;
        for name in names {
            let asked = counts.get(name).into_iter().flatten();
            let writes: Vec<_> = asked.filter(|(operation, _)| **operation != Operation::Get).collect();
            assert_eq!(writes, [(&Operation::Create, &1)], "{name}");
        }
        assert!(self.workspace.snapshot().dead.is_empty(), "something was deleted");
    }

    /// What the operator has asked of the API server without having the right.
    pub fn refused(&self) -> Vec<AuditEvent> {
        let account = format!("system:serviceaccount:{}:{RELEASE}", self.namespace);
        let asked = self.plane.audit(|event| event.user == account).unwrap();
        assert!(asked.len() > 5, "{asked:?}");
        asked.into_iter().filter(|event| event.code == 403).collect()
    }
}
