//! Lists the identities of a workspace: a page for each hundred of them. One identity can make every page before it unanswerable; what a listing
//! does not reach is then asked for one by one.

use std::collections::BTreeSet;

use super::error::GatherError;
use super::pace::Pace;
use super::progress::Progress;
use crate::controller::content_of;
use crate::domain::plan::{self, Packed};
use crate::domain::{ExternalId, IdentityId};
use crate::unkey::{Class, Client, Identity, Listing};

/// What a workspace holds.
#[derive(Debug)]
pub struct WorkspaceListing<T> {
    /// In the order of Unkey.
    pub identities: Vec<T>,
    /// It was listed to its end. Else only what was asked for by itself is known beside what was listed.
    pub is_whole: bool,
}

/// An identity as a plan keeps it.
pub fn planned_identity(found: &Identity) -> plan::Identity {
    plan::Identity {
        external_id: ExternalId::new(&found.external_id),
        id: IdentityId::new(&found.id),
        content: Packed::new(&content_of(found)),
    }
}

/// Lists the workspace. `names`: externalIds that are asked for by themselves if the listing does not reach its end. `keep`: what is kept of each
/// identity; a workspace may be large.
pub async fn list_workspace<T>(
    client: &Client,
    pace: &mut Pace,
    names: impl FnOnce() -> BTreeSet<String>,
    keep: impl Fn(Identity) -> T,
) -> Result<WorkspaceListing<T>, GatherError> {
    let mut progress = Progress::of("listing the workspace");
    let (mut identities, mut seen, mut number) = (Vec::new(), BTreeSet::new(), 1);
    let mut listing = Listing::begin(usize::MAX);
    while let Some((limit, cursor)) = listing.next_page() {
        match pace.ask(async || client.list(limit, cursor.as_deref()).await).await {
            Ok(answer) => {
                number += 1;
                for identity in answer.identities {
                    seen.insert(identity.external_id.clone());
                    identities.push(keep(identity));
                }
                progress.at(identities.len());
                listing.answered(answer.next_cursor);
            }
            Err(error) if error.may_be_its_own() => listing.too_much(),
            Err(error) => return Err(GatherError::Page { page: number, took: pace.took(), source: Box::new(error) }),
        }
    }
    let is_whole = listing.is_whole();
    if !is_whole {
        let missing = names().into_iter().filter(|name| !seen.contains(name)).collect();
        let found = read_identities(client, pace, missing).await?;
        // Looked up by internal id too: one of another name is none of ours, and may have been seen.
        let found = found.into_iter().filter(|found| seen.insert(found.external_id.clone()));
        identities.extend(found.map(keep));
    }
    Ok(WorkspaceListing { identities, is_whole })
}

/// Asks for each of these by itself. What is not there is not in the answer.
pub async fn read_identities(
    client: &Client,
    pace: &mut Pace,
    names: BTreeSet<String>,
) -> Result<Vec<Identity>, GatherError> {
    let mut progress = Progress::of("reading identities");
    let mut identities = Vec::new();
    for external_id in names {
        match pace.ask(async || client.get(&external_id).await).await {
            Ok(found) => identities.push(found),
            Err(error) if error.class() == Class::NotFound => {}
            Err(error) => {
                return Err(GatherError::Identity { external_id, took: pace.took(), source: Box::new(error) });
            }
        }
        progress.at(identities.len());
    }
    Ok(identities)
}
