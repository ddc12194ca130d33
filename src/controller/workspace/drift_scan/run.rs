//! One scan: lists the workspace, asks one by one for what the listing did not reach, compares, and hands on what it finds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kube::runtime::reflector::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::{upstream, witness};
use super::idle::under_lock;
use super::request::{Asker, CallAnswer, End};
use crate::api::Reason;
use crate::controller::identity::context::Context;
use crate::controller::identity::index::{ClaimHolder, Parts};
use crate::controller::identity::raw::RawIdentity;
use crate::domain::drift_scan::{Finding, Saw, Sight, Subject, Summary, note};
use crate::domain::{ExternalId, IdentityId, Mono};
use crate::unkey::{self, Listing, Operation};

/// One scan in progress.
pub struct Scan<'a> {
    context: &'a Arc<Context>,
    store: &'a Store<RawIdentity>,
    slots: &'a Arc<Semaphore>,
    asker: Asker<'a>,
    /// What was seen, or asked for.
    seen: HashSet<ExternalId>,
    /// Those that a get did not find, and when it began.
    absent: Vec<(ClaimHolder, Mono)>,
    /// Those that were asked for and could not be read: they may be there or not.
    unread: HashSet<ExternalId>,
    /// Lower-case externalIds that another identity answers to, as far as it matters: to the objects that say so.
    shadowed: HashMap<String, bool>,
    pub(super) summary: Summary,
    pub(super) pages: u64,
    pub(super) gets: u64,
    pub(super) findings: u64,
}

impl<'a> Scan<'a> {
    /// A scan that has not begun. What it finds waits for one of the `slots`.
    pub fn new(context: &'a Arc<Context>, store: &'a Store<RawIdentity>, slots: &'a Arc<Semaphore>) -> Self {
        Self {
            context,
            store,
            slots,
            asker: Asker::new(context),
            seen: HashSet::new(),
            absent: Vec::new(),
            unread: HashSet::new(),
            shadowed: HashMap::new(),
            summary: Summary::default(),
            pages: 0,
            gets: 0,
            findings: 0,
        }
    }

    /// Runs it.
    pub async fn run(&mut self) -> End {
        match self.whole().await {
            Ok(end) => end,
            Err(end) => {
                self.hand_in();
                end
            }
        }
    }

    async fn whole(&mut self) -> Result<End, End> {
        let begun = self.context.runtime.clock.now();
        let mut of_interest = 0;
        let mismatched = self.context.index.owners(|owner| {
            of_interest += usize::from(is_of_interest(owner));
            owner.reason == Some(Reason::IdentityMismatch)
        });
        if of_interest == 0 {
            return Ok(End::Nothing);
        }
        let client = self.asker.pinned().unkey.clone().map_err(End::Refused)?;
        self.shadowed = mismatched.iter().map(|owner| (lower(&owner.external_id), false)).collect();
        let mut listing = Listing::begin(of_interest);
        self.list(&client, &mut listing).await?;
        let unread = if listing.is_whole() { None } else { self.ask_one_by_one(&client).await? };
        self.judge_missing(&client, listing.is_whole().then_some(begun)).await?;
        Ok(unread.map_or(End::Complete, End::Failed))
    }

    async fn list(&mut self, client: &unkey::Client, listing: &mut Listing) -> Result<(), End> {
        while let Some((limit, cursor)) = listing.next_page() {
            match self
                .asker
                .ask(client, Operation::List, async |client: &unkey::Client| {
                    client.list(limit, cursor.as_deref()).await
                })
                .await?
            {
                CallAnswer::Got(begun, page) => {
                    self.pages += 1;
                    self.context.runtime.metrics.scan_page();
                    if !page.identities.is_empty() {
                        self.context.index.showed(&self.asker.pinned().policy.credential, begun);
                    }
                    listing.answered(page.next_cursor);
                    for identity in &page.identities {
                        self.listed(begun, identity).await;
                    }
                }
                CallAnswer::TooMuch(why) => {
                    tracing::debug!(limit, why, "a page of the workspace cannot be had; asking for fewer");
                    listing.too_much();
                }
                CallAnswer::Again => listing.too_much(),
                CallAnswer::TooSoon => listing.again(),
                CallAnswer::Absent(_) => listing.give_up(),
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
        for holder in self.context.index.holders(&ExternalId::new(&identity.external_id)) {
            self.seen.insert(holder.external_id.clone());
            self.there(&holder, begun, identity).await;
        }
    }

    async fn there(&mut self, owner: &ClaimHolder, begun: Mono, identity: &unkey::Identity) {
        let id = IdentityId::new(&identity.id);
        if let Some((_, mark)) = owner.recorded.as_ref().filter(|(recorded, _)| *recorded == id) {
            *self.summary.found.entry(mark.clone()).or_default() += 1;
        }
        let sight = Sight { begun, saw: Saw::There { id, content: upstream::content(identity) } };
        self.compare(owner, &sight).await;
    }

    /// What the listing did not reach. Only what could be news is asked for. One that cannot be read keeps the scan from being complete, but
    /// not the others from being compared, nor from being missed; returns why it cannot.
    async fn ask_one_by_one(&mut self, client: &unkey::Client) -> Result<Option<String>, End> {
        let mut unread = None;
        let rest = self.context.index.owners(|owner| is_of_interest(owner) && !self.seen.contains(&owner.external_id));
        for owner in rest {
            while self.is_worth_a_get(&owner) {
                self.gets += 1;
                match self
                    .asker
                    .ask(client, Operation::Get, async |client: &unkey::Client| {
                        client.get(owner.external_id.as_str()).await
                    })
                    .await?
                {
                    CallAnswer::Again | CallAnswer::TooSoon => continue,
                    CallAnswer::Got(begun, identity) => {
                        self.seen.insert(owner.external_id.clone());
                        if identity.external_id == owner.external_id.as_str() {
                            self.there(&owner, begun, &identity).await;
                        } else {
                            self.compare(&owner, &Sight { begun, saw: Saw::Foreign }).await;
                        }
                    }
                    CallAnswer::Absent(begun) => {
                        self.seen.insert(owner.external_id.clone());
                        self.absent.push((owner, begun));
                    }
                    CallAnswer::TooMuch(why) => {
                        tracing::debug!(external_id = owner.external_id.as_str(), why, "cannot be compared");
                        self.asker.failed(why.clone())?;
                        unread = Some(why);
                        self.unread.insert(owner.external_id.clone());
                        self.asker.pause(None).await;
                    }
                }
                break;
            }
        }
        match unread {
            // If nobody could be read, it is no one identity's trouble, and nothing was learnt.
            Some(why) if self.seen.is_empty() => Err(End::Failed(why)),
            unread => Ok(unread),
        }
    }

    /// `listed_since`: when the listing began, if it was whole. Nothing counts as missing without a witness (R19).
    async fn judge_missing(&mut self, client: &unkey::Client, listed_since: Option<Mono>) -> Result<(), End> {
        let (window, index) = (self.asker.pinned().policy.window, &self.context.index);
        let mut absent = std::mem::take(&mut self.absent);
        let mut recorded = 0;
        // What is being deleted may have lost its identity on the way, and somebody else's finalizer can hold it for long.
        let unseen = index.owners(|owner| {
            let could_be_missed = !owner.leaving && !owner.observes && !self.unread.contains(&owner.external_id);
            recorded += usize::from(owner.recorded.is_some() && could_be_missed);
            !owner.leaving && !self.seen.contains(&owner.external_id)
        });
        if let Some(begun) = listed_since {
            let shadowed = |owner: &ClaimHolder| self.shadowed.get(&lower(&owner.external_id));
            absent
                .extend(unseen.into_iter().filter(|owner| shadowed(owner) != Some(&true)).map(|owner| (owner, begun)));
        }
        // What is new, or was written to since, proves nothing.
        absent.retain(|(owner, begun)| {
            !index.holders(&owner.external_id).iter().any(|now| now.uid == owner.uid && now.leaving)
                && index
                    .idle_lock(&owner.external_id)
                    .is_some_and(|key_lock| *begun >= key_lock.known(|known| known.settles_at(window)))
        });
        let missing = Sight { begun: self.context.runtime.clock.now(), saw: Saw::Missing };
        let matters = |owner: &ClaimHolder| {
            is_missed(owner) || self.with(owner, |subject| subject.finds(&missing)).flatten().is_some()
        };
        if absent.iter().any(|(owner, _)| matters(owner)) {
            let look = if listed_since.is_some() {
                witness::look_at_list(self.context, client).await
            } else {
                let missing = absent.iter().map(|(owner, _)| &owner.external_id).collect();
                witness::look(self.context, self.asker.pinned(), &missing).await
            };
            look.map_err(|cause| {
                End::Refused(format!(
                    "the root key shows no other identity, so missing identities may only be hidden: {cause:?}"
                ))
            })?;
        }
        self.summary.complete = true;
        self.summary.recorded = recorded;
        self.summary.missing = absent.iter().filter(|(owner, _)| is_missed(owner)).count();
        if !self.hand_in() {
            return Ok(());
        }
        for (owner, begun) in absent {
            self.compare(&owner, &Sight { begun, saw: Saw::Missing }).await;
        }
        Ok(())
    }

    /// Hands in what was seen as a whole. True if what is missing may be taken for gone.
    fn hand_in(&self) -> bool {
        self.context.scanned(&self.summary, &self.asker.pinned().policy.credential)
    }

    fn is_worth_a_get(&self, owner: &ClaimHolder) -> bool {
        let now = self.context.runtime.clock.now();
        self.with(owner, |subject| subject.is_open() && subject.settles(now)).unwrap_or(false)
    }

    /// Looks at an object that nobody is working on.
    fn with<T>(&self, owner: &ClaimHolder, judge: impl FnOnce(&Subject<'_>) -> T) -> Option<T> {
        let policy = &self.asker.pinned().policy;
        under_lock(self.context, self.store, owner, |object, Parts { known, memory, role, .. }| {
            judge(&Subject { object, role, known, object_state: &memory.object_state, policy })
        })
    }

    /// Holds a sight against an object; what it finds waits for a slot, so that few findings are worked on at a time.
    async fn compare(&mut self, owner: &ClaimHolder, sight: &Sight) {
        if self.with(owner, |subject| subject.finds(sight)).flatten().is_none() {
            return;
        }
        // It is never closed.
        let Ok(permit) = Arc::clone(self.slots).acquire_owned().await else { return };
        if let Some(finding) = self.hand_on(owner, sight, permit) {
            self.findings += 1;
            self.context.runtime.metrics.scan_found(finding);
            let (namespace, name) = (owner.at.namespace.as_deref(), owner.at.name.as_str());
            tracing::info!(finding = finding.as_str(), namespace, name, "the scan found a difference; verifying it");
        }
    }

    /// Judges once more, since waiting for the slot may have taken long, and notes what is found.
    fn hand_on(&self, owner: &ClaimHolder, sight: &Sight, permit: OwnedSemaphorePermit) -> Option<Finding> {
        let (now, policy) = (self.context.runtime.clock.now(), &self.asker.pinned().policy);
        let finding = under_lock(self.context, self.store, owner, |object, Parts { known, memory, role, .. }| {
            let finding = Subject { object, role, known, object_state: &memory.object_state, policy }.finds(sight)?;
            note(object, sight, known, &mut memory.object_state, now);
            memory.finding = Some(permit);
            Some(finding)
        })??;
        self.context.index.wake(owner.at.clone());
        Some(finding)
    }
}

/// As a server compares that ignores case.
fn lower(external_id: &ExternalId) -> String {
    external_id.as_str().to_ascii_lowercase()
}

/// What rests with something to say of Unkey, or records an identity there.
fn is_of_interest(owner: &ClaimHolder) -> bool {
    let stands_in_the_way = matches!(owner.reason, Some(Reason::AlreadyExists | Reason::IdentityMismatch));
    let is_observed = owner.reason.is_some_and(Reason::is_observing);
    (owner.recorded.is_some() || stands_in_the_way || is_observed) && owner.reason != Some(Reason::Suspended)
}

/// Its identity should be there. What is only observed says so itself.
fn is_missed(owner: &ClaimHolder) -> bool {
    owner.recorded.is_some() && !owner.observes
}
