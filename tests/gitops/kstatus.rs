//! kstatus: how kubectl's cli-utils, Flux and Helm 4 tell the state of an object whose type they do not know. The same questions in the
//! same order, and no knowledge of the operator.

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kstatus {
    InProgress,
    Failed,
    Current,
    Terminating,
}

pub fn kstatus(object: &Value) -> Kstatus {
    let (metadata, status) = (&object["metadata"], &object["status"]);
    if metadata["deletionTimestamp"].as_str().is_some_and(|at| !at.is_empty()) {
        return Kstatus::Terminating;
    }
    let observed = status["observedGeneration"].as_i64();
    if observed.is_some() && observed != metadata["generation"].as_i64() {
        return Kstatus::InProgress;
    }
    let conditions = status["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    for condition in conditions.iter().filter(|condition| condition["status"] == "True") {
        if condition["type"] == "Reconciling" {
            return Kstatus::InProgress;
        }
        if condition["type"] == "Stalled" {
            return Kstatus::Failed;
        }
    }
    match conditions.iter().find(|condition| condition["type"] == "Ready") {
        Some(ready) if ready["status"] != "True" => Kstatus::InProgress,
        // Nothing that says otherwise: the trap that the default of our status is there for.
        _ => Kstatus::Current,
    }
}
