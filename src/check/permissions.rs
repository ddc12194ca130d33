//! Judges what a root key may do, by requests that are refused or name an identity that does not exist. A server that masks permissions answers as if
//! the identity did not exist, where another one says that the permission is missing (R19): of such a server a 404 tells nothing.
//!
//! Which kind it is shows in an update that is too large of an identity that does not exist. Who looks at the permission first refuses the size, and
//! tells a missing permission; who masks has to find the identity first, to know whose project's permission it is, and finds none.

use super::finding::{Finding, Id, Verdict};
use super::upstream::told;
use crate::unkey::{Class, Error, Permission, was_too_large};

/// What one probe came to.
#[derive(Debug)]
pub enum Probed {
    /// It was not sent, for this reason.
    NotSent(String),
    /// It was carried out.
    Done,
    /// It was refused.
    Refused(Error),
}

impl Probed {
    fn class(&self) -> Option<Class> {
        match self {
            Self::Refused(error) => Some(error.class()),
            Self::NotSent(_) | Self::Done => None,
        }
    }

    fn is_denied(&self) -> bool {
        matches!(self.class(), Some(Class::Permission { .. }))
    }

    fn is_too_large(&self) -> bool {
        matches!(self, Self::Refused(error) if was_too_large(error))
    }
}

/// All probes.
#[derive(Debug)]
pub struct Probe {
    /// A list, refused; `None`: it was answered.
    pub list: Option<Error>,
    /// A get of an identity that the list shows.
    pub get: Probed,
    /// A create that is too large.
    pub create: Probed,
    /// An update that is too large, of an identity that does not exist.
    pub update: Probed,
    /// A delete of an identity that does not exist.
    pub delete: Probed,
}

impl Probe {
    /// A missing permission is told as such.
    fn tells(&self) -> bool {
        let listed = self.list.as_ref().is_some_and(|error| matches!(error.class(), Class::Permission { .. }));
        listed || [&self.get, &self.update, &self.delete].iter().any(|it| it.is_denied()) || self.update.is_too_large()
    }
}

/// A finding for each permission. `observes`: the operator writes nothing, so that only reading counts.
pub fn permissions(probe: &Probe, observes: bool) -> Vec<Finding> {
    vec![create(&probe.create, observes), read(probe), update(probe, observes), delete(probe, observes)]
}

fn granted(id: Id, which: Permission) -> Finding {
    Finding::new(id, Verdict::Ok, format!("The root key has '{}'", which.name()))
}

fn denied(id: Id, which: Permission, observes: bool) -> Finding {
    let name = which.name();
    if observes && which != Permission::Read {
        return Finding::new(
            id,
            Verdict::Ok,
            format!("The root key lacks '{name}', which an operator that only observes does not need"),
        );
    }
    let message = format!("The root key lacks the permission '{name}'; grant it in Unkey's dashboard");
    Finding::new(id, Verdict::Fail, message)
}

fn unknown(id: Id, which: Permission, why: &str) -> Finding {
    Finding::new(id, Verdict::CannotTell, format!("Whether the root key has '{}' does not show: {why}", which.name()))
}

/// Of an answer that says nothing about the permission.
fn other(id: Id, which: Permission, probed: &Probed) -> Finding {
    match probed {
        Probed::NotSent(why) => unknown(id, which, why),
        Probed::Done => unknown(id, which, "Unkey carried out what it should have refused"),
        Probed::Refused(error) => unknown(id, which, &told(error)),
    }
}

fn read(probe: &Probe) -> Finding {
    let (id, which) = (Id::PermissionRead, Permission::Read);
    match (&probe.list, &probe.get) {
        (Some(error), _) if matches!(error.class(), Class::Permission { .. }) => denied(id, which, false),
        (_, Probed::Done) => granted(id, which),
        (_, get) if get.is_denied() => denied(id, which, false),
        (Some(error), _) => unknown(id, which, &told(error)),
        (None, get) => other(id, which, get),
    }
}

fn create(probed: &Probed, observes: bool) -> Finding {
    let (id, which) = (Id::PermissionCreate, Permission::Create);
    match probed {
        _ if probed.is_too_large() => granted(id, which),
        _ if probed.is_denied() => denied(id, which, observes),
        _ => other(id, which, probed),
    }
}

/// Why a 404 tells nothing.
const MASKED: &str = "this server answers 404 for an identity that does not exist, and 404 too where the permission is missing; see whether the operator reports PermissionDenied or DeletionBlocked";

fn update(probe: &Probe, observes: bool) -> Finding {
    let (id, which) = (Id::PermissionUpdate, Permission::Update);
    match &probe.update {
        probed if probed.is_too_large() => granted(id, which),
        probed if probed.is_denied() => denied(id, which, observes),
        probed if probed.class() == Some(Class::NotFound) => unknown(id, which, MASKED),
        probed => other(id, which, probed),
    }
}

fn delete(probe: &Probe, observes: bool) -> Finding {
    let (id, which) = (Id::PermissionDelete, Permission::Delete);
    match &probe.delete {
        probed if probed.is_denied() => denied(id, which, observes),
        probed if probed.class() == Some(Class::NotFound) && probe.tells() => granted(id, which),
        probed if probed.class() == Some(Class::NotFound) => unknown(id, which, MASKED),
        probed => other(id, which, probed),
    }
}
