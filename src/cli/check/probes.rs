//! Asks Unkey for what tells of each permission. Nothing is changed: a create and an update are too large, and what is to be updated or deleted does not
//! exist, which is looked at first.

use super::super::connect::Upstream;
use crate::check::{Listed, Probe, Probed};
use crate::unkey::{Class, Error, PROBE, refused_create, refused_update};

/// `listed`: what came of asking for the first page; `shown`: a get has shown an identity already.
pub(super) async fn send(upstream: &mut Upstream, listed: Listed, shown: bool) -> Probe {
    let (list, first) = match listed {
        Listed::Page(_, first) => (None, first),
        Listed::OnlyGet(_) => (None, None),
        Listed::Failed(error) => (Some(error), None),
    };
    let get = match first {
        _ if shown => Probed::Done,
        Some(id) => get(upstream, &id).await,
        None => Probed::NotSent(
            "the list shows no identity: the workspace is empty or cannot be listed, or this server hides what the root key may not read".to_owned(),
        ),
    };
    let create = create(upstream).await;
    // Nobody else can have a name that is made up here.
    let nobody = format!("{PROBE}.{:032x}", fastrand::u128(..));
    let (update, delete) = match is_absent(upstream, &nobody).await {
        Ok(true) => (update(upstream, &nobody).await, delete(upstream, &nobody).await),
        Ok(false) => {
            let why = || Probed::NotSent("Unkey shows an identity of a name that was just made up".to_owned());
            (why(), why())
        }
        Err(error) => {
            let why = || Probed::NotSent(format!("the absence of a made-up name could not be seen: {error}"));
            (why(), why())
        }
    };
    Probe { list, get, create, update, delete }
}

async fn is_absent(upstream: &mut Upstream, identity: &str) -> Result<bool, Error> {
    let client = &upstream.client;
    match upstream.pace.ask(async || client.get(identity).await).await {
        Ok(_) => Ok(false),
        // Without the permission to read, another server may refuse before it looks.
        Err(error) if matches!(error.class(), Class::NotFound | Class::Permission { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

async fn get(upstream: &mut Upstream, identity: &str) -> Probed {
    let client = &upstream.client;
    probed(upstream.pace.ask(async || client.get(identity).await).await)
}

async fn update(upstream: &mut Upstream, identity: &str) -> Probed {
    let (client, request) = (&upstream.client, refused_update(identity));
    probed(upstream.pace.ask(async || client.update(&request).await).await)
}

async fn delete(upstream: &mut Upstream, identity: &str) -> Probed {
    let client = &upstream.client;
    probed(upstream.pace.ask(async || client.delete(identity).await).await)
}

/// If it is carried out all the same, what it made is deleted again.
async fn create(upstream: &mut Upstream) -> Probed {
    let (client, request) = (&upstream.client, refused_create());
    let created = match upstream.pace.ask(async || client.create(&request).await).await {
        Ok(created) => created,
        Err(error) => return Probed::Refused(error),
    };
    let id = &created.identity_id;
    Probed::NotSent(match upstream.pace.ask(async || client.delete(id).await).await {
        Ok(_) => "Unkey stored an identity that it should have refused; it was deleted again".to_owned(),
        Err(error) => format!(
            "Unkey stored identity '{PROBE}', which it should have refused, and that cannot be deleted ({error}); delete it"
        ),
    })
}

fn probed<T>(answer: Result<T, Error>) -> Probed {
    match answer {
        Ok(_) => Probed::Done,
        Err(error) => Probed::Refused(error),
    }
}
