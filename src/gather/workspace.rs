//! Lists the identities of a workspace: a page for each hundred of them. One identity can make every page before it unanswerable; what a listing
//! does not reach is then asked for one by one.

use std::collections::BTreeSet;

use super::error::GatherError;
use super::pace::Pace;
use super::progress::Progress;
use crate::unkey::{Class, Client, Identity, Listing};

/// What a workspace holds.
#[derive(Debug)]
pub struct WorkspaceListing {
    /// In the order of Unkey.
    pub identities: Vec<Identity>,
    /// It was listed to its end. Else only what was asked for by itself is known beside what was listed.
    pub is_whole: bool,
}

/// Lists the workspace. `names`: externalIds that are asked for by themselves if the listing does not reach its end.
pub async fn list_workspace(
    client: &Client,
    pace: &mut Pace,
    names: impl FnOnce() -> BTreeSet<String>,
) -> Result<WorkspaceListing, GatherError> {
    let mut progress = Progress::of("listing the workspace");
    let (mut identities, mut number) = (Vec::new(), 1);
    let mut listing = Listing::begin(usize::MAX);
    while let Some((limit, cursor)) = listing.next_page() {
        match pace.ask(async || client.list(limit, cursor.as_deref()).await).await {
            Ok(answer) => {
                number += 1;
                identities.extend(answer.identities);
                progress.at(identities.len());
                listing.answered(answer.next_cursor);
            }
            Err(error) if error.may_be_its_own() => listing.too_much(),
            Err(error) => return Err(GatherError::Page { page: number, source: Box::new(error) }),
        }
    }
    let is_whole = listing.is_whole();
    if !is_whole {
        let mut seen: BTreeSet<String> = identities.iter().map(|identity| identity.external_id.clone()).collect();
        let missing = names().into_iter().filter(|name| !seen.contains(name)).collect();
        let found = read_identities(client, pace, missing).await?;
        // Looked up by internal id too: one of another name is none of ours, and may have been seen.
        identities.extend(found.into_iter().filter(|found| seen.insert(found.external_id.clone())));
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
            Err(error) => return Err(GatherError::Identity { external_id, source: Box::new(error) }),
        }
        progress.at(identities.len());
    }
    Ok(identities)
}
