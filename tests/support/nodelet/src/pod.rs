//! The life of one Pod on the node: bound, mounted, started, probed, restarted, ended. May not know what it runs.

use std::net::Ipv4Addr;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::container;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::node;
use crate::probe::Probes;
use crate::status::{Doing, View, status};
use crate::volumes::Volumes;

/// How often the process is looked at, beside what the API tells.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often mounted Secrets are read again; a kubelet takes a minute.
const REFRESH_EVERY: Duration = Duration::from_millis(500);
/// The delay of the first restart, doubled by each that follows; a kubelet begins with ten seconds.
const BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// Who ran so long is not in a loop of crashes.
const CALM: Duration = Duration::from_secs(20);

/// Looks after a Pod until it is gone.
pub(crate) async fn live(host: Arc<Host>, mut latest: watch::Receiver<Pod>) {
    let mut life = Life::begin(host, latest.borrow_and_update().clone());
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = latest.changed() => if changed.is_err() { return },
        }
        life.pod = latest.borrow_and_update().clone();
        match life.turn().await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => life.host.note(&format!("{}: {error}", life.name)),
        }
    }
}

fn now() -> Time {
    Time(Timestamp::now())
}

enum State {
    Waiting { reason: &'static str, message: Option<String>, until: Instant },
    Running { since: Time, begun: Instant, refreshed: Instant, probes: Probes },
}

struct Life {
    host: Arc<Host>,
    pods: Api<Pod>,
    pod: Pod,
    name: String,
    address: Ipv4Addr,
    since: Time,
    volumes: Volumes,
    state: State,
    /// When the process that was asked to end is killed.
    stopping: Option<Instant>,
    last: Option<ContainerStateTerminated>,
    restarts: i32,
    backoff: Duration,
    reported: Option<PodStatus>,
    told: String,
    is_bound: bool,
    is_over: bool,
}

impl Life {
    fn begin(host: Arc<Host>, pod: Pod) -> Self {
        Self {
            pods: Api::namespaced(host.client.clone(), &host.options.namespace),
            name: pod.name_any(),
            address: host.address(),
            since: now(),
            volumes: Volumes::of(&host, &pod),
            state: State::Waiting { reason: "ContainerCreating", message: None, until: Instant::now() },
            stopping: None,
            last: None,
            restarts: 0,
            backoff: BACKOFF,
            reported: None,
            told: String::new(),
            is_bound: false,
            is_over: false,
            pod,
            host,
        }
    }

    /// Does what is to be done now; true when the Pod is gone, or is none of ours.
    async fn turn(&mut self) -> Result<bool> {
        if let Some(status) = self.host.ended(&self.name)? {
            self.has_ended(status);
        }
        let node = &self.host.options.node;
        match self.pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref()) {
            // The API has heard and the watch has not told yet.
            None if self.is_bound => return Ok(false),
            None => {
                node::bind(&self.host.client, &self.host.options.namespace, &self.name, node).await?;
                self.is_bound = true;
                return Ok(false);
            }
            Some(other) if other != node => return Ok(true),
            Some(_) => {}
        }
        if self.pod.metadata.deletion_timestamp.is_some() {
            return self.leave().await;
        }
        match &self.state {
            _ if self.is_over => {}
            State::Waiting { until, .. } if Instant::now() < *until => {}
            State::Waiting { .. } => self.start().await?,
            State::Running { .. } => self.tend().await?,
        }
        self.report().await?;
        Ok(false)
    }

    async fn start(&mut self) -> Result<()> {
        match self.prepare().await {
            Ok((command, probes)) => {
                self.host.start(&self.name, &command)?;
                self.restarts += i32::from(self.last.is_some());
                let (begun, refreshed) = (Instant::now(), Instant::now());
                self.state = State::Running { since: now(), begun, refreshed, probes };
                Ok(())
            }
            Err(error @ Error::Mount { .. }) => self.wait("ContainerCreating", None, "FailedMount", &error).await,
            Err(error @ (Error::Variable(_) | Error::NotImitated(_))) => {
                self.wait("CreateContainerConfigError", Some(error.to_string()), "Failed", &error).await
            }
            Err(other) => Err(other),
        }
    }

    async fn prepare(&mut self) -> Result<(Command, Probes)> {
        self.volumes.refresh(&self.host, &self.pod).await?;
        let command = container::command(&self.host, &self.pod, &self.volumes, self.address).await?;
        let probes = Probes::start(container::of(&self.pod)?, self.address)?;
        Ok((command, probes))
    }

    /// Tries again soon; says why, once.
    async fn wait(&mut self, reason: &'static str, message: Option<String>, event: &str, error: &Error) -> Result<()> {
        self.state = State::Waiting { reason, message, until: Instant::now() + REFRESH_EVERY };
        let why = error.to_string();
        if self.told != why {
            self.host.tell(&self.pod, event, why.clone()).await?;
            self.told = why;
        }
        Ok(())
    }

    async fn tend(&mut self) -> Result<()> {
        let State::Running { refreshed, probes, .. } = &mut self.state else { return Ok(()) };
        let alive = probes.alive();
        if refreshed.elapsed() > REFRESH_EVERY {
            *refreshed = Instant::now();
            // What is gone from the API stays mounted.
            if let Err(error) = self.volumes.refresh(&self.host, &self.pod).await {
                self.host.note(&format!("{}: {error}", self.name));
            }
        }
        if alive && self.stopping.is_none() {
            return Ok(());
        }
        if self.stopping.is_none() {
            self.host
                .tell(&self.pod, "Unhealthy", "Liveness probe failed; the container is restarted".to_owned())
                .await?;
        }
        let probe = container::of(&self.pod)?.liveness_probe.as_ref();
        let own = probe.and_then(|probe| probe.termination_grace_period_seconds);
        let grace = own.or(self.pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds));
        self.stop(grace)
    }

    /// Asks the process to end; makes it when its time is over.
    fn stop(&mut self, grace: Option<i64>) -> Result<()> {
        match self.stopping {
            None => {
                self.host.signal(&self.name, "TERM")?;
                self.stopping = Some(Instant::now() + Duration::from_secs(grace.unwrap_or(30).unsigned_abs()));
                Ok(())
            }
            Some(deadline) if Instant::now() < deadline => Ok(()),
            Some(_) => self.host.signal(&self.name, "KILL"),
        }
    }

    fn has_ended(&mut self, status: ExitStatus) {
        let State::Running { since, begun, .. } = &self.state else { return };
        // The guard's shell tells a signal as shells do: 137 is SIGKILL.
        let exit_code = status.code().unwrap_or(-1);
        self.last = Some(ContainerStateTerminated {
            exit_code,
            reason: Some(if exit_code == 0 { "Completed" } else { "Error" }.to_owned()),
            started_at: Some(since.clone()),
            finished_at: Some(now()),
            ..ContainerStateTerminated::default()
        });
        let policy = self.pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
        self.is_over = policy == Some("Never") || policy == Some("OnFailure") && exit_code == 0;
        let delay = if begun.elapsed() > CALM { BACKOFF } else { self.backoff };
        self.backoff = (delay * 2).min(LONGEST_BACKOFF);
        let message = Some(format!("back-off {} ms restarting failed container", delay.as_millis()));
        self.state = State::Waiting { reason: "CrashLoopBackOff", message, until: Instant::now() + delay };
        self.stopping = None;
    }

    /// The Pod is being deleted.
    async fn leave(&mut self) -> Result<bool> {
        if matches!(self.state, State::Running { .. }) {
            self.stop(self.pod.metadata.deletion_grace_period_seconds)?;
            self.report().await?;
            return Ok(false);
        }
        self.is_over = true;
        self.report().await?;
        let preconditions = Some(Preconditions { uid: self.pod.uid(), resource_version: None });
        let at_once = DeleteParams { grace_period_seconds: Some(0), preconditions, ..DeleteParams::default() };
        match self.pods.delete(&self.name, &at_once).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the API, if there is something new.
    async fn report(&mut self) -> Result<()> {
        let Some(container) = self.pod.spec.as_ref().and_then(|spec| spec.containers.first()) else { return Ok(()) };
        let doing = match &self.state {
            _ if self.is_over => Doing::Ended,
            State::Waiting { reason, message, .. } => Doing::Waiting { reason, message: message.clone() },
            State::Running { since, probes, .. } => Doing::Running { since: since.clone(), ready: probes.ready() },
        };
        let (last, restarts, address, since) = (self.last.as_ref(), self.restarts, self.address, &self.since);
        let view = View { container, address, doing, last, restarts, since };
        let status = status(&view, self.reported.as_ref(), &now());
        if self.reported.as_ref() == Some(&status) {
            return Ok(());
        }
        let patch = json!({"metadata": {"uid": self.pod.uid()}, "status": status});
        match self.pods.patch_status(&self.name, &PatchParams::default(), &Patch::Strategic(&patch)).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            other => {
                other?;
            }
        }
        self.reported = Some(status);
        Ok(())
    }
}
