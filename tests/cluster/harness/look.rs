//! Looks at what a user sees: events, kubectl, and what Unkey holds.

use std::io::Write as _;
use std::process::{Output, Stdio};

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use unkey_emulator::{RatelimitView, Seed};

use super::{World, eventually};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// `Normal` or `Warning`.
    pub kind: String,
    /// One word.
    pub reason: String,
    /// The sentence.
    pub note: String,
}

impl World {
    /// JSON-patches an Identity's status, as another tool would.
    pub async fn patch_status(&self, name: &str, patch: &Value) -> Value {
        let patch = Patch::Json::<()>(serde_json::from_value(patch.clone()).unwrap());
        let patched = self.api().patch_status(name, &PatchParams::default(), &patch).await.unwrap();
        serde_json::to_value(patched).unwrap()
    }

    /// The events about the Identity `name`; repeats of one are one.
    pub async fn events(&self, name: &str) -> Vec<Told> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let all = api.list(&ListParams::default()).await.unwrap();
        let about = |event: &Event| event.regarding.as_ref().and_then(|it| it.name.clone()).as_deref() == Some(name);
        let told = |event: Event| Told {
            kind: event.type_.unwrap_or_default(),
            reason: event.reason.unwrap_or_default(),
            note: event.note.unwrap_or_default(),
        };
        all.items.into_iter().filter(about).map(told).collect()
    }

    /// Waits for an event of this reason.
    pub async fn event(&self, name: &str, reason: &str) -> Told {
        eventually(&format!("the event {reason} of {name}"), async || {
            self.events(name).await.into_iter().find(|told| told.reason == reason)
        })
        .await
    }

    /// Waits until the clock shows another second: conditions are dated by seconds.
    pub async fn next_second(&self) {
        let now = || k8s_openapi::jiff::Timestamp::now().as_second();
        let second = now();
        eventually("the next second", async || (now() > second).then_some(())).await;
    }

    /// What Unkey holds under this externalId, limits by name and without their ids.
    pub fn upstream(&self, external_id: &str) -> Value {
        let Some(found) = self.workspace.live(external_id) else { return Value::Null };
        let mut limits = found.ratelimits;
        limits.sort_by(|a, b| a.name.cmp(&b.name));
        let limits: Vec<Value> = limits
            .iter()
            .map(|it| json!({"name": it.name, "limit": it.limit, "duration": it.duration, "autoApply": it.auto_apply}))
            .collect();
        json!({"id": found.id, "meta": found.meta, "ratelimits": limits})
    }

    /// Another client makes an identity; its id.
    pub fn seed(&self, external_id: &str, content: &Value) -> String {
        let content = seed(content);
        self.workspace.seed(Seed { external_id: external_id.to_owned(), ..content }).expect("a free externalId")
    }

    /// Another client changes an identity.
    pub fn mutate(&self, external_id: &str, content: &Value) {
        assert!(self.workspace.mutate(external_id, seed(content)));
    }

    /// Runs the real kubectl in this namespace while everything else of the test goes on.
    pub async fn run_kubectl(&self, args: &[&str], stdin: &str) -> Output {
        let mut command = self.plane.kubectl_command().unwrap();
        command.args(["-n", &self.namespace]).args(args);
        run(command, stdin.to_owned()).await
    }

    /// Runs the real kubectl in no namespace but those that the manifests name.
    pub async fn plane_kubectl(&self, args: &[&str], stdin: &str) -> Output {
        let mut command = self.plane.kubectl_command().unwrap();
        command.args(args);
        run(command, stdin.to_owned()).await
    }

    /// Runs a line that was meant for a user's shell, `kubectl` being the real one.
    pub async fn shell(&self, line: &str) -> Output {
        let kubectl = self.plane.kubectl().unwrap();
        let mut command = std::process::Command::new("sh");
        for (name, value) in self.plane.kubectl_command().unwrap().get_envs() {
            command.env(name, value.unwrap());
        }
        command.args(["-c", &format!("kubectl() {{ '{}' \"$@\"; }}\n{line}", kubectl.display())]);
        run(command, String::new()).await
    }
}

async fn run(mut command: std::process::Command, stdin: String) -> Output {
    let work = move || {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // Who ends before it has read everything says why on its standard error.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn seed(content: &Value) -> Seed {
    let limits = |it: &Value| serde_json::from_value::<Vec<RatelimitView>>(it.clone()).unwrap();
    Seed {
        external_id: String::new(),
        meta: content.get("meta").map(|meta| meta.as_object().unwrap().clone()),
        ratelimits: content.get("ratelimits").map(|all| {
            let with_ids: Vec<Value> = all.as_array().unwrap().iter().map(filled_in).collect();
            limits(&Value::Array(with_ids))
        }),
    }
}

fn filled_in(limit: &Value) -> Value {
    let mut limit = limit.clone();
    limit.as_object_mut().unwrap().entry("autoApply").or_insert(json!(false));
    limit
}
