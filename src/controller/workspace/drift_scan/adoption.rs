//! Adoption from the list: when many objects are new, a listing of the workspace comes before their creates. Each of them that it shows adopts with that
//! sight, or is refused by it, without a call of its own; the others are created. It only reads, and decides nothing.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kube::runtime::reflector::Store;
use tokio::sync::Semaphore;

use super::idle::under_lock;
use super::request::{Asker, CallAnswer, End};
use crate::controller::identity::context::Context;
use crate::controller::identity::index::ClaimHolder;
use crate::controller::identity::raw::RawIdentity;
use crate::controller::workspace::upstream;
use crate::domain::drift_scan::{Saw, Sight, show_new};
use crate::domain::{ExternalId, IdentityId, Mono};
use crate::unkey::{Client, Identity, Listing, Operation};

/// So many pages may show nothing that is new before the listing ends, and more where many objects wait: a page for each hundred of them.
const IN_VAIN: usize = 3;

/// So many sights wait for a reconcile at a time, for each reconcile that runs: a sight counts for one window only.
const AHEAD: usize = 4;

/// Runs for as long as it is polled.
pub async fn run(context: Arc<Context>, store: Store<RawIdentity>, workers: u16) {
    let slots = Arc::new(Semaphore::new(usize::from(workers) * AHEAD));
    loop {
        let waiting = context.index.many_are_new().await;
        let mut adoption = Adoption { context: &context, store: &store, slots: &slots, waiting, pages: 0, shown: 0 };
        // A bug met in one listing must not end the process, again and again.
        let end = AssertUnwindSafe(adoption.whole()).catch_unwind().await.unwrap_or(Err(End::Panicked));
        let Adoption { pages, shown, .. } = adoption;
        match end {
            Ok(()) => tracing::info!(waiting, pages, shown, "listed the workspace for new Identities"),
            Err(end) => {
                let why = end.why();
                tracing::warn!(
                    waiting,
                    pages,
                    shown,
                    why,
                    "the workspace could not be listed for new Identities; they are created one by one"
                );
            }
        }
        context.index.newcomers_listed(pages, shown);
    }
}

/// One listing in progress.
struct Adoption<'a> {
    context: &'a Arc<Context>,
    store: &'a Store<RawIdentity>,
    slots: &'a Arc<Semaphore>,
    /// Objects that were new when it began.
    waiting: usize,
    pages: usize,
    /// Objects that were new and have got a sight.
    shown: usize,
}

impl Adoption<'_> {
    async fn whole(&mut self) -> Result<(), End> {
        let mut asker = Asker::new(self.context);
        let client = asker.pinned().unkey.clone().map_err(End::Refused)?;
        let window = asker.pinned().policy.window;
        let in_vain = IN_VAIN.max(self.waiting / 100);
        // Whether it pays at all is seen at once; what it shows counts only once all that was written before has settled.
        let mut listing = Listing::begin(in_vain);
        let mut pays = false;
        while !pays && let Some((_, identities)) = self.page(&mut asker, &client, &mut listing).await? {
            pays = identities.iter().any(|identity| !self.new_ones(identity).is_empty());
        }
        if !pays {
            return Ok(());
        }
        self.wait_until_settled(window).await;
        let (mut listing, looked) = (Listing::begin(usize::MAX), self.pages);
        while let Some((begun, identities)) = self.page(&mut asker, &client, &mut listing).await? {
            for identity in &identities {
                self.hand_over(begun, identity, window).await;
            }
            if self.pages - looked > self.shown + in_vain {
                break;
            }
            self.context.index.newcomers_wait_until(self.context.runtime.clock.now().after(window));
        }
        Ok(())
    }

    /// The next page and when it was asked for; `None`: there is none.
    async fn page(
        &mut self,
        asker: &mut Asker<'_>,
        client: &Client,
        listing: &mut Listing,
    ) -> Result<Option<(Mono, Vec<Identity>)>, End> {
        while let Some((limit, cursor)) = listing.next_page() {
            let list = async |client: &Client| client.list(limit, cursor.as_deref()).await;
            match asker.ask(client, Operation::List, list).await? {
                CallAnswer::Got(begun, page) => {
                    self.pages += 1;
                    self.context.runtime.metrics.scan_page();
                    listing.answered(page.next_cursor);
                    return Ok(Some((begun, page.identities)));
                }
                CallAnswer::TooMuch(_) | CallAnswer::Again => listing.too_much(),
                CallAnswer::TooSoon => listing.again(),
                CallAnswer::Absent(_) => listing.give_up(),
            }
        }
        Ok(None)
    }

    /// Until every replica shows what an earlier life of these objects has left.
    async fn wait_until_settled(&self, window: Duration) {
        let (index, clock) = (&self.context.index, &self.context.runtime.clock);
        let settled = index.misses_count_from();
        index.newcomers_wait_until(settled.max(clock.now()).after(window));
        tokio::time::sleep(clock.now().until(settled)).await;
    }

    /// The objects of that externalId that are new.
    fn new_ones(&self, identity: &Identity) -> Vec<ClaimHolder> {
        let mut holders = self.context.index.holders(&ExternalId::new(&identity.external_id));
        holders.retain(|holder| holder.is_new);
        holders
    }

    /// Hands the sight to whoever is new, once few enough wait. That may take long: it is looked at once more then.
    async fn hand_over(&mut self, begun: Mono, identity: &Identity, window: Duration) {
        for holder in self.new_ones(identity) {
            // It is never closed.
            let Ok(permit) = Arc::clone(self.slots).acquire_owned().await else { return };
            if self.context.runtime.clock.now() > begun.after(window) {
                return;
            }
            let saw = Saw::There { id: IdentityId::new(&identity.id), content: upstream::content(identity) };
            let sight = Sight { begun, saw };
            let handed = under_lock(self.context, self.store, &holder, |object, parts| {
                let is_taken = show_new(object, &sight, &mut parts.memory.object_state);
                if is_taken {
                    parts.memory.finding = Some(permit);
                }
                is_taken
            });
            if handed == Some(true) {
                self.shown += 1;
                self.context.index.wake(holder.at);
            }
        }
    }
}
