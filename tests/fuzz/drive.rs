//! Does to a real API server what a chain says, and holds what follows against the oracle. The first thing that is not as it has to be ends
//! the chain and is told in words.

use std::ops::AddAssign;

use serde_json::{Value, json};
use unkey_emulator::{IdentityView, Operation, Workspace};

use super::chain::{Chain, Held, Spec, json as text_of, set};
use super::kstatus::{Kstatus, kstatus};
use super::oracle::{Model, Outlook, Verdict};
use super::values::Fate;
use super::view::{Log, Shown, View, is_invisible};

/// Writers of an object may race; more often than this, something fights.
const TRIES: usize = 50;

/// Where chains are driven.
pub struct Ground {
    pub client: kube::Client,
    /// Path of the namespace's Identities.
    pub path: String,
    pub workspace: Workspace,
    pub view: View,
    pub log: Log,
}

/// What chains came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub transitions: usize,
    pub refused: usize,
    pub stalled: usize,
    /// Of those, over what would be lost (R18).
    pub would_lose: usize,
    pub suspended: usize,
    /// Only observed (R21).
    pub observed: usize,
    pub synced: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.transitions += other.transitions;
        self.refused += other.refused;
        self.stalled += other.stalled;
        self.would_lose += other.would_lose;
        self.suspended += other.suspended;
        self.observed += other.observed;
        self.synced += other.synced;
    }
}

/// What Unkey was asked to do to an identity: creates, updates, deletes, whatever the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    creates: u64,
    updates: u64,
    deletes: u64,
}

/// What is told of a chain that went wrong.
pub struct Wrong {
    /// Where in it.
    pub at: String,
    /// What.
    pub what: String,
}

/// One chain under way.
struct Run<'a> {
    ground: &'a Ground,
    chain: &'a Chain,
    name: String,
    external_id: String,
    model: Model,
    tally: Tally,
    /// The identity's id, once it is known: it never changes.
    id: Option<String>,
    at: String,
}

/// Runs one chain to its end.
pub async fn run(chain: &Chain, ground: &Ground) -> Result<Tally, Wrong> {
    let name = format!("c{}", chain.number);
    let mut run = Run {
        ground,
        chain,
        external_id: String::new(),
        model: Model::new(Spec::new(), None),
        tally: Tally::default(),
        id: None,
        at: "start".to_owned(),
        name,
    };
    match run.all().await {
        Ok(()) => Ok(run.tally),
        Err(what) => Err(Wrong { at: run.at, what }),
    }
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), String> {
        self.begin().await?;
        for (at, step) in self.chain.steps.iter().enumerate() {
            self.at = format!("step {at}");
            let before = (self.model.clone(), self.live());
            let accepted = self.change(set(&self.model.spec, &step.cases, self.chain.number)).await?;
            if accepted && step.reverts {
                self.at = format!("step {at}, back");
                let asked = self.asked();
                let stalled = self.model.verdict() == Verdict::Invalid;
                self.change(before.0.spec.clone()).await?;
                // What was not its own before may have been taken over, and an invalid spec says nothing of what there was.
                let was_synced = before.0.verdict() == Verdict::Synced && before.0.owned;
                if was_synced && !self.model.restored(before.1.as_ref(), self.live().as_ref()) {
                    return Err(format!("reverting does not restore {:?}: {:?}", before.1, self.live()));
                }
                if stalled && was_synced && asked != self.asked() {
                    return Err("to leave an invalid spec cost a write".to_owned());
                }
            }
        }
        "end".clone_into(&mut self.at);
        self.end().await
    }

    /// Makes the object, at the second try if its externalId is one to be refused.
    async fn begin(&mut self) -> Result<(), String> {
        let chain = self.chain;
        let tried = chain.external_id.clone();
        let plain = format!("chain-{}", chain.number);
        self.external_id = match tried.text(chain.number) {
            Some(text) if tried.fate == Fate::Taken => serde_json::from_str(&text).expect("a text"),
            _ => plain.clone(),
        };
        let own = Held { text: Value::from(self.external_id.as_str()).to_string().into(), fate: Fate::Taken };
        let mut spec = set(&Spec::new(), &chain.start, chain.number);
        if tried.fate == Fate::Refused {
            let wrong = set(&spec, std::slice::from_ref(&tried), chain.number);
            self.tally.transitions += 1;
            self.tally.refused += 1;
            if let Ok(made) = self.send("POST", None, &wrong).await? {
                return Err(format!("accepted: {:?}", made.metadata));
            }
        }
        spec.insert("externalId".to_owned(), own);
        self.model = Model::new(Spec::new(), chain.prior.as_ref());
        if let Some(content) = &self.model.content {
            let seed = content.seed(&self.external_id);
            self.id = Some(self.ground.workspace.seed(seed).ok_or("the externalId is taken")?);
        }
        let asked = self.asked();
        self.tally.transitions += 1;
        let made = self.send("POST", None, &spec).await?.map_err(|why| format!("refused: {why}"))?;
        self.model.spec = spec;
        self.settle(&made.metadata["generation"], asked, self.live()).await
    }

    /// Puts another spec in place; false if it was refused, as it has to be.
    async fn change(&mut self, spec: Spec) -> Result<bool, String> {
        let before = self.live();
        self.model.compare(before.as_ref())?;
        let asked = self.asked();
        self.tally.transitions += 1;
        let renamed =
            spec.get("externalId").map(|held| &held.text) != self.model.spec.get("externalId").map(|held| &held.text);
        let to_refuse = renamed || spec.values().any(|held| held.fate == Fate::Refused);
        match (self.replace(&spec).await?, to_refuse) {
            (Ok(_), true) => Err("accepted, and should have been refused".to_owned()),
            (Err(why), false) => Err(format!("refused, and should have been accepted: {why}")),
            (Err(_), true) => {
                self.tally.refused += 1;
                self.untouched(before.as_ref(), asked)?;
                Ok(false)
            }
            (Ok(now), false) => {
                self.model.spec = spec;
                self.settle(&now.metadata["generation"], asked, before).await?;
                Ok(true)
            }
        }
    }

    /// Waits for what the operator makes of this generation, and looks at all that it left behind.
    async fn settle(&mut self, generation: &Value, asked: Asked, before: Option<IdentityView>) -> Result<(), String> {
        let owned = self.model.owned;
        let verdict = self.model.settle();
        let reason = verdict.reason();
        let settled = |shown: &Shown| shown.speaks_of(generation) && shown.condition("Ready")["reason"] == reason;
        let what = format!("{reason} at generation {generation}");
        let shown = self.ground.view.until(&self.name, &what, |now| now.is_some_and(settled)).await?;
        let shown = shown.ok_or("the watch ended")?;
        self.told(&shown, verdict, generation)?;
        let after = self.live();
        self.model.compare(after.as_ref())?;
        let now = self.asked();
        match verdict {
            Verdict::Synced => {
                self.tally.synced += 1;
                let (created, updated) = (now.creates - asked.creates, now.updates - asked.updates);
                if now.deletes != asked.deletes || updated > 1 || created > u64::from(!owned) {
                    return Err(format!("one change, and Unkey was asked {asked:?}, then {now:?}"));
                }
                let id = after.map(|view| view.id);
                if shown.status["identityId"].as_str() != id.as_deref() || (self.id.is_some() && self.id != id) {
                    return Err(format!("the id was {:?}, is {id:?}, and the status says {}", self.id, shown.status));
                }
                self.id = id;
            }
            Verdict::Suspended => {
                self.tally.suspended += 1;
                self.untouched(before.as_ref(), asked)?;
            }
            Verdict::Invalid => {
                self.tally.stalled += 1;
                self.untouched(before.as_ref(), asked)?;
            }
            Verdict::Loses => {
                self.tally.stalled += 1;
                self.tally.would_lose += 1;
                self.untouched(before.as_ref(), asked)?;
                if shown.status["identityId"].as_str() != self.id.as_deref() {
                    return Err(format!("it owns {:?}, and the status says {}", self.id, shown.status));
                }
            }
            Verdict::Exists => {
                self.tally.stalled += 1;
                // That it exists may be known from the refusal of a create.
                self.untouched(before.as_ref(), Asked { creates: now.creates, ..asked })?;
                if shown.status["identityId"].is_string() {
                    return Err(format!("it owns nothing, and the status names {}", shown.status["identityId"]));
                }
            }
            Verdict::Observes(outlook) => {
                self.tally.observed += 1;
                self.untouched(before.as_ref(), asked)?;
                self.observed(&shown, outlook)?;
            }
        }
        self.log(verdict)
    }

    /// The status tells what stands in Unkey, and keeps the id of what the object owned.
    fn observed(&self, shown: &Shown, outlook: Outlook) -> Result<(), String> {
        let (status, looks) = (&shown.status, outlook != Outlook::Refuse("InvalidSpec"));
        let there = self.live().filter(|_| looks);
        let own = self.id.as_deref().filter(|_| self.model.owned);
        let observed = &status["observed"];
        let differs = observed["differs"].as_array().map_or(0, Vec::len);
        let others = observed["others"].as_u64().unwrap_or_default();
        let well = status["identityId"].as_str() == own
            && observed["identityId"].as_str() == there.as_ref().map(|view| &*view.id)
            && (there.is_none() || usize::try_from(others) == Ok(self.model.others()))
            && match outlook {
                Outlook::Nothing | Outlook::Create => differs == 0 && status["cause"].is_null(),
                Outlook::Update => u64::try_from(differs).unwrap() + others > 0 && status["cause"].is_null(),
                Outlook::Refuse(reason) => status["cause"] == reason,
            };
        if well { Ok(()) } else { Err(format!("it is {outlook:?} beside {there:?}, and the status says {status}")) }
    }

    /// The conditions say so, in words that can be read, and nothing else was said of this generation on the way.
    fn told(&self, shown: &Shown, verdict: Verdict, generation: &Value) -> Result<(), String> {
        let ready = shown.condition("Ready");
        let status = if verdict.is_ready() { "True" } else { "False" };
        let message = ready["message"].as_str().unwrap_or_default();
        let mut well = ready["status"] == status && !message.is_empty();
        well &= !message.contains(|c: char| c.is_control() || is_invisible(c));
        for kind in ["Stalled", "Suspended"] {
            let there = shown.condition(kind);
            well &= if verdict.beside_ready() == Some(kind) {
                there["status"] == "True" && there["observedGeneration"] == *generation
            } else {
                there.is_null()
            };
        }
        if verdict.beside_ready() == Some("Stalled") {
            let stalled = shown.condition("Stalled");
            well &= stalled["reason"] == ready["reason"] && stalled["message"] == ready["message"];
        }
        let expected = match verdict {
            Verdict::Synced | Verdict::Observes(Outlook::Nothing) => Kstatus::Current,
            Verdict::Suspended | Verdict::Observes(_) => Kstatus::InProgress,
            Verdict::Invalid | Verdict::Exists | Verdict::Loses => Kstatus::Failed,
        };
        well &= matches!(verdict, Verdict::Observes(_)) || shown.status["observed"].is_null();
        well &= kstatus(&json!({"metadata": shown.metadata, "status": shown.status})) == expected;
        let reasons = self.ground.view.reasons(&self.name, generation);
        let last = reasons.iter().position(|reason| reason == verdict.reason()).map(|at| at + 1);
        well &= last == Some(reasons.len()) && reasons.iter().rev().skip(1).all(|reason| reason == "Progressing");
        if well { Ok(()) } else { Err(format!("told wrongly, {reasons:?}: {}", shown.status)) }
    }

    fn untouched(&self, before: Option<&IdentityView>, asked: Asked) -> Result<(), String> {
        if self.asked() == asked && self.live().as_ref() == before {
            return self.log(self.model.verdict());
        }
        Err(format!("Unkey was touched: {asked:?} {before:?}, then {:?} {:?}", self.asked(), self.live()))
    }

    /// No panic at all, and no error without a condition that says why.
    fn log(&self, verdict: Verdict) -> Result<(), String> {
        let (errors, worse) = self.ground.log.trouble(&self.name);
        if !worse.is_empty() {
            return Err(format!("in the log: {}", worse.join("\n")));
        }
        if !errors.is_empty() && verdict.is_ready() {
            return Err(format!("errors in the log and no condition: {}", errors.join("\n")));
        }
        Ok(())
    }

    /// Deletes it, by turns as it stands, and sees that its identity went or stayed.
    async fn end(&mut self) -> Result<(), String> {
        if !self.chain.deleted_as_it_is || self.model.suspended() {
            let mut right = self.model.spec.clone();
            right.retain(|property, held| property != "suspend" && held.fate == Fate::Taken);
            self.change(right).await?;
        }
        self.model.compare(self.live().as_ref())?;
        let asked = self.asked();
        let deleted = self.call("DELETE", Some(&self.name), Vec::new()).await;
        deleted.map_err(|error| format!("it cannot be deleted: {error}"))?;
        self.ground.view.until(&self.name, "gone", |now| now.is_none()).await?;
        let had = self.model.content.is_some();
        self.model.delete();
        self.model.compare(self.live().as_ref())?;
        let now = self.asked();
        let went = u64::from(had && self.model.content.is_none());
        if now != (Asked { deletes: asked.deletes + went, ..asked }) {
            return Err(format!("one deletion, and Unkey was asked {asked:?}, then {now:?}"));
        }
        self.ground.view.forget(&self.name);
        self.log(Verdict::Synced)?;
        // What stays by policy is nobody's any more.
        self.ground.workspace.delete(&self.external_id);
        Ok(())
    }

    fn live(&self) -> Option<IdentityView> {
        self.ground.workspace.live(&self.external_id)
    }

    fn asked(&self) -> Asked {
        let counts = self.ground.workspace.counts();
        let on = |operation| counts.on(operation, &self.external_id);
        Asked { creates: on(Operation::Create), updates: on(Operation::Update), deletes: on(Operation::Delete) }
    }

    /// Replaces the spec of what is there, as `kubectl replace` does, however often the operator comes between.
    async fn replace(&self, spec: &Spec) -> Result<Result<Shown, String>, String> {
        for _ in 0..TRIES {
            let now = self.call("GET", Some(&self.name), Vec::new()).await.map_err(|error| error.to_string())?;
            match self.send("PUT", Some(now.metadata), spec).await? {
                Err(why) if why.starts_with("409") => {}
                done => return Ok(done),
            }
        }
        Err("somebody changes the object all the time".to_owned())
    }

    /// Sends a manifest; `Ok(Err)` is a refusal.
    async fn send(&self, method: &str, metadata: Option<Value>, spec: &Spec) -> Result<Result<Shown, String>, String> {
        let name = metadata.as_ref().map(|_| self.name.as_str());
        let metadata = metadata.unwrap_or_else(|| json!({"name": self.name}));
        let head = r#""apiVersion":"unkey.com/v1alpha1","kind":"Identity""#;
        let body = format!(r#"{{{head},"metadata":{metadata},"spec":{}}}"#, text_of(spec));
        match self.call(method, name, body.into_bytes()).await {
            Ok(done) => Ok(Ok(done)),
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 409 | 413 | 422) => {
                Ok(Err(format!("{} {}", status.code, status.message)))
            }
            // So says etcd, in the API server's name.
            Err(kube::Error::Api(status)) if status.message == "etcdserver: request is too large" => {
                Ok(Err(status.message.clone()))
            }
            Err(error) => Err(format!("neither accepted nor refused: {error}")),
        }
    }

    async fn call(&self, method: &str, name: Option<&str>, body: Vec<u8>) -> Result<Shown, kube::Error> {
        let slash = if name.is_some() { "/" } else { "" };
        let uri = format!("{}{slash}{}?fieldValidation=Strict", self.ground.path, name.unwrap_or_default());
        let request = http::Request::builder().method(method).uri(uri).header("content-type", "application/json");
        let text = self.ground.client.request_text(request.body(body).map_err(kube::Error::HttpError)?).await?;
        serde_json::from_str(&text).map_err(kube::Error::SerdeError)
    }
}
