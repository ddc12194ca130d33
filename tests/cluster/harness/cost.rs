//! What an object costs, told by the API server's audit log and Unkey's books; and how a test knows that nothing more is to come.

use std::ops::Sub;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use unkey_emulator::Operation;

use super::{World, eventually};

/// Requests of operators for one object. Events are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Writes to the object, status apart.
    pub main: usize,
    /// Writes to its status.
    pub status: usize,
    /// Uncached reads of it.
    pub reads: usize,
    /// createIdentity.
    pub creates: usize,
    /// getIdentity.
    pub gets: usize,
    /// updateIdentity.
    pub updates: usize,
    /// deleteIdentity.
    pub deletes: usize,
}

impl Cost {
    pub const NOTHING: Self = Self { main: 0, status: 0, reads: 0, creates: 0, gets: 0, updates: 0, deletes: 0 };
    /// Claim, call, status.
    pub const CREATE: Self = Self { main: 1, status: 1, creates: 1, ..Self::NOTHING };
    /// An uncached read for R11, the call, status.
    pub const UPDATE: Self = Self { status: 1, reads: 1, updates: 1, ..Self::NOTHING };
    /// An uncached read for R11, the call, the finalizer.
    pub const DELETE: Self = Self { main: 1, reads: 1, deletes: 1, ..Self::NOTHING };
    /// Something to tell and nothing to do.
    pub const STATUS: Self = Self { status: 1, ..Self::NOTHING };
    /// A check that finds all well, told.
    pub const CHECK: Self = Self { status: 1, gets: 1, ..Self::NOTHING };
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            main: self.main - before.main,
            status: self.status - before.status,
            reads: self.reads - before.reads,
            creates: self.creates - before.creates,
            gets: self.gets - before.gets,
            updates: self.updates - before.updates,
            deletes: self.deletes - before.deletes,
        }
    }
}

impl World {
    /// What the Identity `name` has cost so far, and the identity of the same externalId.
    pub fn cost(&self, name: &str) -> Cost {
        let asked = self
            .plane
            .audit(|event| {
                event.namespace == self.namespace
                    && event.name == name
                    && event.resource == "identities"
                    && event.user_agent.starts_with("unkey-operator/")
            })
            .unwrap();
        let writes =
            |status: bool| asked.iter().filter(move |it| it.is_write() && (it.subresource == "status") == status);
        let counts = self.workspace.counts();
        let calls = |operation| usize::try_from(counts.on(operation, name)).unwrap();
        Cost {
            main: writes(false).count(),
            status: writes(true).count(),
            reads: asked.iter().filter(|it| it.verb == "get").count(),
            creates: calls(Operation::Create),
            gets: calls(Operation::Get),
            updates: calls(Operation::Update),
            deletes: calls(Operation::Delete),
        }
    }

    /// Returns when an operator with `--workers 1` has done all that follows from what happened before, and a consistency window has
    /// passed: its queue is in order, and by then it has brought another object to the end of a settled read.
    pub async fn barrier(&self) {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        assert!(
            self.args().windows(2).any(|pair| pair == ["--workers", "1"]),
            "without order a barrier proves nothing"
        );
        let name = format!("barrier-{}", LAST.fetch_add(1, Ordering::Relaxed));
        self.create(&name, &json!({"externalId": name})).await;
        self.ready(&name).await;
        self.request_reconcile(&name, "barrier").await;
        let logged = async || {
            let cost = self.cost(&name);
            (cost.main >= 1 && cost.status >= 2).then_some(())
        };
        eventually("the barrier's writes in the audit log", logged).await;
    }

    /// What `name` has cost when all is done. What is visible to a test may not have reached the audit log yet.
    pub async fn cost_so_far(&self, name: &str) -> Cost {
        self.barrier().await;
        self.cost(name)
    }

    /// What `name` costs from `before` on, when all is done: see [`World::barrier`].
    pub async fn cost_since(&self, name: &str, before: Cost) -> Cost {
        self.cost_so_far(name).await - before
    }

    /// Asks for a check by annotation, without waiting for it.
    pub async fn ask_for_check(&self, name: &str, value: &str) {
        self.patch(name, &check(value)).await;
    }

    /// The same of one that may be gone.
    pub async fn ask_for_check_if_there(&self, name: &str, value: &str) {
        self.patch_if_there(name, &check(value)).await;
    }

    /// Asks for a check by annotation, and waits until it is echoed.
    pub async fn request_reconcile(&self, name: &str, value: &str) -> serde_json::Value {
        self.ask_for_check(name, value).await;
        self.until(name, "checked", |object| object["status"]["lastHandledReconcileAt"] == value).await
    }
}

fn check(value: &str) -> serde_json::Value {
    json!({"metadata": {"annotations": {"unkey.com/reconcile-requested-at": value}}})
}
