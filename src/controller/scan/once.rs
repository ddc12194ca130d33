//! One scan: lists the workspace, asks one by one for what the listing did not reach, compares, and hands on what it finds.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::kube::runtime::reflector::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::access::Access;
use super::super::pass::newest;
use super::super::run::Context;
use super::super::snapshot::Snapshot;
use super::super::table::{Memory, Owner, lock};
use super::super::{clock, upstream};
use super::listing::Listing;
use crate::api::Reason;
use crate::domain::scan::{Finding, Look, Saw, Sight, Summary, note};
use crate::domain::{Cause, ExternalId, IdentityId, Mono, Object, backoff};
use crate::unkey::{self, Class, Operation};

/// Failures in a row that end a scan; the next one comes anyway.
const MAX_FAILURES: u32 = 4;

/// How a scan ended.
#[derive(Debug)]
pub enum End {
    /// Everything was looked at.
    Complete,
    /// There was nothing to look at, and nothing was asked.
    Nothing,
    /// Unkey cannot be asked: the root key, a permission, a wrong URL.
    Refused(String),
    /// Unkey fails.
    Failed(String),
    /// Another root key came into use on the way.
    KeyChanged,
    /// A bug of ours.
    Panicked,
}

impl End {
    /// One word: a metric label.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Nothing => "nothing",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
            Self::KeyChanged => "key_changed",
            Self::Panicked => "panic",
        }
    }

    /// What kept it from its end.
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Complete | Self::Nothing => None,
            Self::Refused(why) | Self::Failed(why) => Some(why.clone()),
            Self::KeyChanged => Some("another root key came into use".to_owned()),
            Self::Panicked => Some("a panic; this is a bug of the operator".to_owned()),
        }
    }
}

/// What became of one request.
enum Answer<T> {
    /// It was answered; it began then.
    Got(Mono, T),
    /// Unkey's own 404; it began then.
    Absent(Mono),
    /// Too much was asked for, or this one cannot be answered at all.
    TooMuch(String),
    /// Not answered; another try is worth it now. It may be the size that takes too long.
    Again,
    /// Refused for coming too soon; now it is time.
    TooSoon,
}

/// One scan in progress.
pub struct Scan<'a> {
    context: &'a Arc<Context>,
    store: &'a Store<Snapshot>,
    slots: &'a Arc<Semaphore>,
    access: Arc<Access>,
    failures: u32,
    /// What was seen, or asked for.
    seen: HashSet<ExternalId>,
    /// Those that a get did not find, and when it began.
    absent: Vec<(Owner, Mono)>,
    /// Lower-case externalIds that another identity answers to, as far as it matters: to the objects that say so.
    shadowed: HashMap<String, bool>,
    pub(super) summary: Summary,
    pub(super) pages: u64,
    pub(super) gets: u64,
    pub(super) findings: u64,
}

impl<'a> Scan<'a> {
    /// A scan that has not begun. What it finds waits for one of the `slots`.
    pub fn new(context: &'a Arc<Context>, store: &'a Store<Snapshot>, slots: &'a Arc<Semaphore>) -> Self {
        Self {
            context,
            store,
            slots,
            access: context.access(),
            failures: 0,
            seen: HashSet::new(),
            absent: Vec::new(),
            shadowed: HashMap::new(),
            summary: Summary::default(),
            pages: 0,
            gets: 0,
            findings: 0,
        }
    }

    /// Runs it.
    pub async fn run(&mut self) -> End {
        self.whole().await.unwrap_or_else(|end| end)
    }

    async fn whole(&mut self) -> Result<End, End> {
        let begun = self.context.clock.now();
        let mut of_interest = 0;
        let mismatched = self.context.table.owners(|owner| {
            of_interest += usize::from(is_of_interest(owner));
            owner.reason == Some(Reason::IdentityMismatch)
        });
        if of_interest == 0 {
            return Ok(End::Nothing);
        }
        let client = self.access.unkey.clone().map_err(End::Refused)?;
        self.shadowed = mismatched.iter().map(|owner| (lower(&owner.external_id), false)).collect();
        let mut listing = Listing::begin(of_interest);
        self.list(&client, &mut listing).await?;
        if !listing.is_whole() {
            self.ask_one_by_one(&client).await?;
        }
        self.judge_missing(listing.is_whole().then_some(begun)).await;
        Ok(End::Complete)
    }

    async fn list(&mut self, client: &unkey::Client, listing: &mut Listing) -> Result<(), End> {
        while let Some((limit, cursor)) = listing.next() {
            match self.ask(Operation::List, client.list(limit, cursor.as_deref())).await? {
                Answer::Got(begun, page) => {
                    self.pages += 1;
                    self.context.metrics.scan_page();
                    listing.answered(page.next_cursor);
                    for identity in &page.identities {
                        self.listed(begun, identity).await;
                    }
                }
                Answer::TooMuch(why) => {
                    tracing::debug!(limit, why, "a page of the workspace cannot be had; asking for fewer");
                    listing.too_much();
                }
                Answer::Again => listing.too_much(),
                Answer::TooSoon => listing.again(),
                Answer::Absent(_) => listing.give_up(),
            }
        }
        Ok(())
    }

    async fn listed(&mut self, begun: Mono, identity: &unkey::Identity) {
        for name in [&identity.external_id, &identity.id] {
            if let Some(shadowed) = self.shadowed.get_mut(&name.to_ascii_lowercase()) {
                *shadowed = true;
            }
        }
        let Some(owner) = self.context.table.owner(&ExternalId::new(&identity.external_id)) else { return };
        self.seen.insert(owner.external_id.clone());
        self.there(&owner, begun, identity).await;
    }

    async fn there(&mut self, owner: &Owner, begun: Mono, identity: &unkey::Identity) {
        let id = IdentityId::new(&identity.id);
        if let Some((_, mark)) = owner.recorded.as_ref().filter(|(recorded, _)| *recorded == id) {
            *self.summary.found.entry(mark.clone()).or_default() += 1;
        }
        let sight = Sight { begun, saw: Saw::There { id, content: upstream::content(identity) } };
        self.compare(owner, &sight).await;
    }

    /// What the listing did not reach. Only what could be news is asked for. One that cannot be had keeps the scan from being
    /// complete, but not the others from being compared.
    async fn ask_one_by_one(&mut self, client: &unkey::Client) -> Result<(), End> {
        let mut unanswered = None;
        let rest = self.context.table.owners(|owner| is_of_interest(owner) && !self.seen.contains(&owner.external_id));
        for owner in rest {
            while self.is_worth_a_get(&owner) {
                self.gets += 1;
                match self.ask(Operation::Get, client.get(owner.external_id.as_str())).await? {
                    Answer::Again | Answer::TooSoon => continue,
                    Answer::Got(begun, identity) => {
                        self.seen.insert(owner.external_id.clone());
                        if identity.external_id == owner.external_id.as_str() {
                            self.there(&owner, begun, &identity).await;
                        } else {
                            self.compare(&owner, &Sight { begun, saw: Saw::Foreign }).await;
                        }
                    }
                    Answer::Absent(begun) => {
                        self.seen.insert(owner.external_id.clone());
                        self.absent.push((owner, begun));
                    }
                    Answer::TooMuch(why) => {
                        tracing::debug!(external_id = owner.external_id.as_str(), why, "cannot be compared");
                        self.failed(why.clone())?;
                        unanswered = Some(why);
                        self.pause(None).await;
                    }
                }
                break;
            }
        }
        unanswered.map_or(Ok(()), |why| Err(End::Failed(why)))
    }

    /// `listed_since`: when the listing began, if it was whole.
    async fn judge_missing(&mut self, listed_since: Option<Mono>) {
        let (window, table) = (self.access.policy.window, &self.context.table);
        let mut absent = std::mem::take(&mut self.absent);
        let mut recorded = 0;
        let unseen = table.owners(|owner| {
            recorded += usize::from(owner.recorded.is_some());
            !self.seen.contains(&owner.external_id)
        });
        if let Some(begun) = listed_since {
            let shadowed = |owner: &Owner| self.shadowed.get(&lower(&owner.external_id));
            absent
                .extend(unseen.into_iter().filter(|owner| shadowed(owner) != Some(&true)).map(|owner| (owner, begun)));
        }
        // What is new, or was written to since, proves nothing.
        absent.retain(|(owner, begun)| {
            table.idle_turn(&owner.external_id).is_some_and(|turn| *begun >= turn.known().settles_at(window))
        });
        self.summary.complete = true;
        self.summary.recorded = recorded;
        self.summary.missing = absent.iter().filter(|(owner, _)| owner.recorded.is_some()).count();
        if !self.context.scanned(&self.summary, &self.access.policy.credential) {
            return;
        }
        for (owner, begun) in absent {
            self.compare(&owner, &Sight { begun, saw: Saw::Missing }).await;
        }
    }

    /// The object as it is known now, and its memory.
    fn read(&self, owner: &Owner) -> Option<(Object, Arc<Mutex<Memory>>)> {
        let cached = self.store.get(&owner.at).filter(|cached| cached.uid() == owner.uid)?;
        let memory = self.context.table.memory(&owner.uid);
        let snapshot = newest(&memory, cached);
        let object = snapshot.read(false, self.context.clock.now(), &mut lock(&memory).pokes);
        Some((object, memory))
    }

    fn is_worth_a_get(&self, owner: &Owner) -> bool {
        let now = self.context.clock.now();
        self.look(owner, |look| look.is_open() && look.settles(now)).unwrap_or(false)
    }

    /// Looks at an object that nobody is working on.
    fn look<T>(&self, owner: &Owner, judge: impl FnOnce(&Look<'_>) -> T) -> Option<T> {
        let turn = self.context.table.idle_turn(&owner.external_id)?;
        let (object, memory) = self.read(owner)?;
        let role = self.context.table.role(&owner.external_id, &owner.uid);
        let (memory, known, policy) = (lock(&memory), turn.known(), &self.access.policy);
        Some(judge(&Look { object: &object, role, known: &known, visits: &memory.visits, policy }))
    }

    /// Holds a sight against an object; what it finds waits for a slot, so that few findings are worked on at a time.
    async fn compare(&mut self, owner: &Owner, sight: &Sight) {
        if self.look(owner, |look| look.finds(sight)).flatten().is_none() {
            return;
        }
        // It is never closed.
        let Ok(slot) = Arc::clone(self.slots).acquire_owned().await else { return };
        if let Some(finding) = self.hand_on(owner, sight, slot) {
            self.findings += 1;
            self.context.metrics.scan_found(finding.as_str());
            let (namespace, name) = (owner.at.namespace.as_deref(), owner.at.name.as_str());
            tracing::info!(finding = finding.as_str(), namespace, name, "the scan found a difference; looking again");
        }
    }

    /// Judges once more, since waiting for the slot may have taken long, and notes what is found.
    fn hand_on(&self, owner: &Owner, sight: &Sight, slot: OwnedSemaphorePermit) -> Option<Finding> {
        let turn = self.context.table.idle_turn(&owner.external_id)?;
        let (object, memory) = self.read(owner)?;
        let role = self.context.table.role(&owner.external_id, &owner.uid);
        let (mut memory, mut known, policy) = (lock(&memory), turn.known(), &self.access.policy);
        let look = Look { object: &object, role, known: &known, visits: &memory.visits, policy };
        let finding = look.finds(sight)?;
        note(&object, sight, &mut known, &mut memory.visits);
        memory.finding = Some(slot);
        self.context.table.wake(owner.at.clone());
        Some(finding)
    }

    /// One request. An error ends the scan.
    async fn ask<T>(
        &mut self,
        operation: Operation,
        request: impl Future<Output = Result<T, unkey::Error>>,
    ) -> Result<Answer<T>, End> {
        self.same_key()?;
        let begun = self.context.clock.now();
        let timer = self.context.metrics.upstream_begins();
        let result = request.await;
        timer.ends(operation, result.as_ref().err().map_or("ok", upstream::word));
        self.same_key()?;
        let error = match result {
            Ok(answer) => {
                self.failures = 0;
                return Ok(Answer::Got(begun, answer));
            }
            Err(error) => error,
        };
        let why = error.to_string();
        let unreadable = matches!(error.fault(), unkey::Fault::Unreadable { .. });
        match error.class() {
            Class::NotFound => {
                self.failures = 0;
                Ok(Answer::Absent(begun))
            }
            Class::Credential | Class::Permission { .. } | Class::Misconfigured => Err(End::Refused(why)),
            Class::RateLimited { retry_after } => {
                self.failed(why)?;
                self.pause(retry_after).await;
                Ok(Answer::TooSoon)
            }
            Class::Terminal { .. } => Ok(Answer::TooMuch(why)),
            _ if unreadable || error.may_be_too_much() => Ok(Answer::TooMuch(why)),
            _ => {
                self.failed(why)?;
                self.pause(None).await;
                Ok(Answer::Again)
            }
        }
    }

    fn same_key(&self) -> Result<(), End> {
        let same = self.context.access().policy.credential == self.access.policy.credential;
        if same { Ok(()) } else { Err(End::KeyChanged) }
    }

    fn failed(&mut self, why: String) -> Result<(), End> {
        self.failures += 1;
        if self.failures >= MAX_FAILURES { Err(End::Failed(why)) } else { Ok(()) }
    }

    async fn pause(&self, at_least: Option<Duration>) {
        let at_least = at_least.map_or(0, clock::millis);
        let ms = backoff::delay(&Cause::Unavailable, self.failures, at_least, self.context.dice());
        tokio::time::sleep(Duration::from_millis(ms.unwrap_or(backoff::MAX_MS))).await;
    }
}

/// As a server compares that ignores case.
fn lower(external_id: &ExternalId) -> String {
    external_id.as_str().to_ascii_lowercase()
}

/// What rests with something to say of Unkey, or records an identity there.
fn is_of_interest(owner: &Owner) -> bool {
    let stands_in_the_way = matches!(owner.reason, Some(Reason::AlreadyExists | Reason::IdentityMismatch));
    (owner.recorded.is_some() || stands_in_the_way) && owner.reason != Some(Reason::Suspended)
}
