//! Runs Pods, those of a Deployment above all, as processes of this machine: as much of a kubelet, and of a scheduler, as it takes to see a chart at
//! work. The Pods are those that the real kube-controller-manager makes. May not know the operator.
//!
//! Like a kubelet it mounts Secrets and the `ServiceAccount`'s token (by `TokenRequest`, bound to the Pod) and writes them anew when they
//! change, in one step; starts the container with the Pod's arguments and environment; asks the probes with their delays, deadlines and
//! thresholds; restarts what ended or is not alive as its `restartPolicy` says, with a growing delay; reports phases, conditions, states and
//! restarts; and when a Pod is deleted sends SIGTERM, waits the grace period, sends SIGKILL, and removes the Pod from the API. Everything ends with its owner.
//!
//! What it does not imitate:
//!
//! - **The image.** The caller names a program, which is run in the image's place, as this user, with this machine's files in sight: no
//!   pull, no root file system, no `securityContext`, no cgroup and no resource limits.
//! - **Paths.** A process cannot have `/etc/x` for itself. Where an argument or a variable names a mount path, it gets the folder that stands in
//!   for it. A client that looks for the token at its usual place finds none: `KUBECONFIG` names a file that leads to the same token and CA.
//! - **The network.** A Pod's IP is one of 127.0.0.0/8 (Linux has them all), so that two Pods can have the same port; an argument that
//!   listens on `0.0.0.0` or `[::]` listens there. There are no Services, no DNS, no network policies.
//! - **The node.** It is Ready and stays so; there are no heartbeats, and the controller that would miss them must not be run. All Pods that
//!   the selector finds are bound to it: no resources, taints, affinities or spreading.
//! - **Of a Pod:** more than one container, init containers, `command`, `envFrom`, `subPath`, lifecycle hooks, probes other than
//!   `httpGet`, startup probes, and volumes other than `secret`, `projected` and `emptyDir`. A Pod that has one of them is not
//!   started, and says so.
//! - **Silently left out:** `$(VAR)` in arguments stays as it is written, and there are no termination messages, no `observedGeneration`, no events of what goes well, and no `kubectl logs` or `exec`.

mod container;
mod error;
mod host;
mod node;
mod pod;
mod probe;
mod status;
mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use controlplane::ControlPlane;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use crate::error::{Error, Result};
use crate::host::Host;

/// Which Pods are run, and as what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The node's name.
    pub node: String,
    /// The namespace of the Pods.
    pub namespace: String,
    /// The label selector that finds them.
    pub selector: String,
    /// What is run in place of the image.
    pub program: PathBuf,
}

/// A node. Dropping it kills the Pods' processes and leaves the Pods in the API as they are, like a power cut.
pub struct Nodelet {
    host: Arc<Host>,
    watching: JoinHandle<()>,
}

impl Nodelet {
    /// Registers the node and runs Pods from now on, on the caller's runtime: it needs a thread to itself if the caller blocks.
    pub async fn start(plane: &ControlPlane, options: Options) -> Result<Self> {
        let host = Arc::new(Host::new(plane, options).await?);
        node::register(&host).await?;
        let watching = tokio::spawn(watch(Arc::clone(&host)));
        Ok(Self { host, watching })
    }

    /// The Pods that have a process.
    pub fn running(&self) -> Vec<String> {
        self.host.running()
    }

    /// The process of a Pod's container.
    pub fn pid(&self, pod: &str) -> Result<u32> {
        self.host.pid(pod)
    }

    /// Sends a signal, named as `kill` names it, behind everybody's back.
    pub fn signal(&self, pod: &str, signal: &str) -> Result<()> {
        self.host.signal(pod, signal)
    }

    /// What the Pod's containers have written so far, earlier ones included. Empty if there was none.
    pub fn log(&self, pod: &str) -> String {
        self.host.log(pod)
    }

    /// What the nodelet itself found worth noting, for who looks into a failure.
    pub fn notes(&self) -> String {
        self.host.log(host::NOTES)
    }
}

impl Drop for Nodelet {
    fn drop(&mut self) {
        self.watching.abort();
        self.host.close();
    }
}

/// A Pod that is looked after until this is dropped.
struct Tended {
    host: Arc<Host>,
    name: String,
    latest: watch::Sender<Pod>,
    task: JoinHandle<()>,
}

impl Drop for Tended {
    fn drop(&mut self) {
        self.task.abort();
        // There still is one if the Pod was removed by force.
        self.host.remove(&self.name);
    }
}

async fn watch(host: Arc<Host>) {
    let pods: Api<Pod> = Api::namespaced(host.client.clone(), &host.options.namespace);
    let mut events = pin!(watcher(pods, watcher::Config::default().labels(&host.options.selector)).default_backoff());
    let mut tended: BTreeMap<String, Tended> = BTreeMap::new();
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(pod)) => {
                listed.insert(pod.uid().unwrap_or_default());
                tend(&host, &mut tended, pod);
            }
            Ok(Event::InitDone) => tended.retain(|uid, _| listed.contains(uid)),
            Ok(Event::Apply(pod)) => tend(&host, &mut tended, pod),
            Ok(Event::Delete(pod)) => {
                tended.remove(&pod.uid().unwrap_or_default());
            }
            Err(error) => host.note(&format!("watch: {error}")),
        }
    }
}

fn tend(host: &Arc<Host>, tended: &mut BTreeMap<String, Tended>, pod: Pod) {
    let (uid, name) = (pod.uid().unwrap_or_default(), pod.name_any());
    if let Some(known) = tended.get(&uid) {
        known.latest.send_replace(pod);
        return;
    }
    let (latest, seen) = watch::channel(pod);
    let task = tokio::spawn(pod::live(Arc::clone(host), seen));
    tended.insert(uid, Tended { host: Arc::clone(host), name, latest, task });
}
