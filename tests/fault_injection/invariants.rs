//! Looks at every write of the operator in the moment in which the API server has accepted it: what must hold at each step, not only in the
//! end (I3, I5, I6, I11, I13 of the list in `main.rs`).

use std::sync::{Arc, Mutex, PoisonError};

use cutting_proxy::{Entry, Proxy};
use serde_json::{Value, json};
use unkey_emulator::Workspace;

use crate::harness::condition;
use crate::workflow::{BYSTANDER, EXTERNAL_ID, THEIRS, Workflow, is_ready};

/// Keeps what it has seen go wrong.
pub struct Invariants {
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Invariants {
    pub fn post(proxy: &Proxy, workspace: &Workspace, workflow: Workflow) -> Self {
        let wrong = Arc::new(Mutex::new(Vec::new()));
        let (noted, workspace) = (Arc::clone(&wrong), workspace.clone());
        proxy.on_answer(move |entry, answer| {
            let found = look(entry, answer, &workspace, workflow);
            noted.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        });
        Self { wrong }
    }

    pub fn wrong(&self) -> Vec<String> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is wrong with a write that was just accepted.
fn look(entry: &Entry, answer: &[u8], workspace: &Workspace, workflow: Workflow) -> Vec<String> {
    let mut wrong = Vec::new();
    if workspace.live(BYSTANDER).is_none_or(|it| it.meta != json!({"keep": "me"})) {
        wrong.push(format!("somebody else's identity was touched before {}", entry.asked));
    }
    let theirs = workspace.live(EXTERNAL_ID).is_none_or(|it| it.meta["by"] == THEIRS);
    if workflow.keeps_theirs() && !theirs {
        wrong.push(format!("what somebody else stored was lost before {}", entry.asked));
    }
    if entry.asked.resource != "identities" || !entry.asked.is_write() {
        return wrong;
    }
    let patch: Value = serde_json::from_slice(&entry.body).unwrap_or_default();
    if entry.asked.verb != "patch" || patch[0]["op"] != "test" || patch[0]["path"] != "/metadata/uid" {
        wrong.push(format!("{} is not fenced by the uid: {patch}", entry.asked));
    }
    let object: Value = serde_json::from_slice(answer).unwrap_or_default();
    if !entry.is_committed() {
        return wrong;
    }
    let upstream = object["spec"]["externalId"].as_str().and_then(|it| workspace.live(it));
    let (meta, status) = (&object["metadata"], &object["status"]);
    let released = meta.get("deletionTimestamp").is_some() && meta.get("finalizers").is_none();
    if released && object["spec"]["deletionPolicy"] != "Orphan" && upstream.is_some() {
        wrong.push(format!("{} let go while the identity lives", entry.asked));
    }
    let tells = entry.asked.subresource == "status" && meta.get("deletionTimestamp").is_none() && is_ready(&object);
    if tells {
        let managed = |meta: &Value| object["spec"].get("meta").is_none_or(|wanted| wanted == meta);
        let is_true = upstream.as_ref().is_some_and(|it| status["identityId"] == it.id.as_str() && managed(&it.meta));
        if !is_true {
            wrong.push(format!("{} says {} while Unkey holds {upstream:?}", entry.asked, condition(&object, "Ready")));
        }
    }
    wrong
}
