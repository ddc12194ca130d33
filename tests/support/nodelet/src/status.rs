//! A Pod's status in a kubelet's words. Pure: knows no process and no API.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    HostIP, PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// What the container does.
#[derive(Clone)]
pub(crate) enum Doing {
    Waiting {
        reason: &'static str,
        message: Option<String>,
    },
    Running {
        since: Time,
        ready: bool,
    },
    /// For good: the Pod is being deleted, or is not to be restarted.
    Ended,
}

/// What there is to say.
pub(crate) struct View<'a> {
    pub container: &'a Container,
    pub address: Ipv4Addr,
    pub doing: Doing,
    /// How the last run ended.
    pub last: Option<&'a ContainerStateTerminated>,
    pub restarts: i32,
    /// When the Pod came to the node.
    pub since: &'a Time,
}

/// The status at `now`; a condition that `before` has as it is keeps its time.
pub(crate) fn status(view: &View<'_>, before: Option<&PodStatus>, now: &Time) -> PodStatus {
    let name = &view.container.name;
    let (running, ready) = match view.doing {
        Doing::Running { ready, .. } => (true, ready),
        _ => (false, false),
    };
    let unready = (!ready).then(|| ("ContainersNotReady", format!("containers with unready status: [{name}]")));
    let conditions = [
        ("PodScheduled", true, None),
        ("Initialized", true, None),
        ("PodReadyToStartContainers", running, None),
        ("ContainersReady", ready, unready.clone()),
        ("Ready", ready, unready),
    ];
    let known = before.and_then(|before| before.conditions.as_deref()).unwrap_or_default();
    let conditions = conditions.into_iter().map(|(type_, holds, why)| condition(type_, holds, why, known, now));
    let address = view.address.to_string();
    PodStatus {
        phase: Some(phase(view).to_owned()),
        conditions: Some(conditions.collect()),
        container_statuses: Some(vec![container(view, ready)]),
        start_time: Some(view.since.clone()),
        host_ip: Some("127.0.0.1".to_owned()),
        host_ips: Some(vec![HostIP { ip: "127.0.0.1".to_owned() }]),
        pod_ips: Some(vec![PodIP { ip: address.clone() }]),
        pod_ip: Some(address),
        ..PodStatus::default()
    }
}

fn phase(view: &View<'_>) -> &'static str {
    match (&view.doing, view.last) {
        (Doing::Ended, last) if last.is_none_or(|last| last.exit_code == 0) => "Succeeded",
        (Doing::Ended, _) => "Failed",
        (Doing::Waiting { .. }, None) => "Pending",
        // What is to be started again is not over.
        _ => "Running",
    }
}

fn container(view: &View<'_>, ready: bool) -> ContainerStatus {
    let mut state = ContainerState::default();
    match &view.doing {
        Doing::Waiting { reason, message } => {
            let reason = Some((*reason).to_owned());
            state.waiting = Some(ContainerStateWaiting { reason, message: message.clone() });
        }
        Doing::Running { since, .. } => {
            state.running = Some(ContainerStateRunning { started_at: Some(since.clone()) });
        }
        Doing::Ended => state.terminated = view.last.cloned(),
    }
    let ended = ContainerState { terminated: view.last.cloned(), ..ContainerState::default() };
    ContainerStatus {
        name: view.container.name.clone(),
        image: view.container.image.clone().unwrap_or_default(),
        started: Some(state.running.is_some()),
        last_state: (view.last.is_some() && state.terminated.is_none()).then_some(ended),
        state: Some(state),
        ready,
        restart_count: view.restarts,
        ..ContainerStatus::default()
    }
}

fn condition(
    type_: &str,
    holds: bool,
    why: Option<(&'static str, String)>,
    known: &[PodCondition],
    now: &Time,
) -> PodCondition {
    let status = if holds { "True" } else { "False" };
    let same = known.iter().find(|known| known.type_ == type_ && known.status == status);
    let (reason, message) = why.map(|(reason, message)| (reason.to_owned(), message)).unzip();
    PodCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason,
        message,
        last_transition_time: Some(
            same.and_then(|same| same.last_transition_time.clone()).unwrap_or_else(|| now.clone()),
        ),
        ..PodCondition::default()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    fn seen(doing: Doing, last: Option<i32>, before: Option<&PodStatus>, now: i64) -> PodStatus {
        let container = Container { name: "operator".to_owned(), ..Container::default() };
        let last = last.map(|exit_code| ContainerStateTerminated { exit_code, ..Default::default() });
        let (address, since) = (Ipv4Addr::new(127, 1, 1, 1), at(0));
        let view = View { container: &container, address, doing, last: last.as_ref(), restarts: 0, since: &since };
        status(&view, before, &at(now))
    }

    fn ready(status: &PodStatus) -> (&str, Option<&Time>) {
        let mut conditions = status.conditions.iter().flatten();
        let ready = conditions.find(|condition| condition.type_ == "Ready").unwrap();
        (&ready.status, ready.last_transition_time.as_ref())
    }

    #[test]
    fn a_condition_is_as_old_as_its_status() {
        let running = |ready| Doing::Running { since: at(1), ready };
        let first = seen(running(false), None, None, 1);
        assert_eq!(ready(&first), ("False", Some(&at(1))));
        let second = seen(running(true), None, Some(&first), 2);
        assert_eq!(ready(&second), ("True", Some(&at(2))));
        assert_eq!(seen(running(true), None, Some(&second), 3), second);
    }

    #[test]
    fn phases_and_states() {
        let waiting = Doing::Waiting { reason: "CrashLoopBackOff", message: None };
        let rows = [
            (waiting.clone(), None, "Pending"),
            (waiting, Some(1), "Running"),
            (Doing::Running { since: at(1), ready: true }, Some(1), "Running"),
            (Doing::Ended, None, "Succeeded"),
            (Doing::Ended, Some(0), "Succeeded"),
            (Doing::Ended, Some(137), "Failed"),
        ];
        for (doing, last, phase) in rows {
            let status = seen(doing, last, None, 1);
            assert_eq!(status.phase.as_deref(), Some(phase), "{last:?}");
            let container = &status.container_statuses.unwrap()[0];
            let is_over = matches!(phase, "Succeeded" | "Failed");
            assert_eq!(container.last_state.is_some(), last.is_some() && !is_over, "{phase} {last:?}");
        }
    }
}
