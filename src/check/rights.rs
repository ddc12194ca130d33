//! What the operator needs of Kubernetes: the one list. The chart's roles are compared with it, the audit log of an operator at work, and the rights
//! of whoever calls `check`.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::authorization::v1::ResourceAttributes;

use crate::api::CRD_NAME;

/// One verb on one resource, as a role grants it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// `None`: in every namespace, and outside of them.
    pub namespace: Option<String>,
    /// `None`: on every object.
    pub name: Option<String>,
    /// API group.
    pub group: String,
    /// With its subresource.
    pub resource: String,
    /// Such as `get`.
    pub verb: String,
}

/// On every object where it watches.
const WORK: [(&str, &str, &str); 7] = [
    ("unkey.com", "identities", "get"),
    ("unkey.com", "identities", "list"),
    ("unkey.com", "identities", "watch"),
    ("unkey.com", "identities", "patch"),
    ("unkey.com", "identities/status", "patch"),
    ("events.k8s.io", "events", "create"),
    ("events.k8s.io", "events", "patch"),
];

impl Right {
    /// `what`: group, resource, verb.
    pub fn new(namespace: Option<&str>, (group, resource, verb): (&str, &str, &str), name: Option<&str>) -> Self {
        Self {
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            group: group.to_owned(),
            resource: resource.to_owned(),
            verb: verb.to_owned(),
        }
    }

    /// As an access review asks for it.
    pub fn attributes(&self) -> ResourceAttributes {
        let (resource, subresource) = self.resource.split_once('/').unwrap_or((&self.resource, ""));
        ResourceAttributes {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            group: Some(self.group.clone()),
            resource: Some(resource.to_owned()),
            subresource: Some(subresource.to_owned()).filter(|it| !it.is_empty()),
            verb: Some(self.verb.clone()),
            ..ResourceAttributes::default()
        }
    }
}

/// As kubectl spells resources.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (resource, subresource) = self.resource.split_once('/').unwrap_or((&self.resource, ""));
        let slash = if subresource.is_empty() { "" } else { "/" };
        write!(f, "{} {resource}.{}{slash}{subresource}", self.verb, self.group)?;
        if let Some(name) = &self.name {
            write!(f, " '{name}'")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => Ok(()),
        }
    }
}

/// One line for each in what a failed comparison prints.
impl fmt::Debug for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, name, group, resource, verb } = self;
        let name = name.as_deref().unwrap_or("any");
        write!(f, "{verb} {group}/{resource} ({name}) in {}", namespace.as_deref().unwrap_or("all of the cluster"))
    }
}

/// What the rights of an operator depend on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs<'a> {
    /// The namespaces that it watches; none: all.
    pub watched: &'a [String],
    /// Namespace and name of its lease; `None`: it elects no leader.
    pub lease: Option<(&'a str, &'a str)>,
}

impl Needs<'_> {
    /// All that this operator ever needs.
    pub fn rights(&self) -> BTreeSet<Right> {
        let mut rights = BTreeSet::new();
        let mut work = |namespace| rights.extend(WORK.map(|what| Right::new(namespace, what, None)));
        if self.watched.is_empty() {
            work(None);
            let look = ("apiextensions.k8s.io", "customresourcedefinitions", "get");
            rights.insert(Right::new(None, look, Some(CRD_NAME)));
        } else {
            self.watched.iter().for_each(|namespace| work(Some(namespace)));
        }
        if let Some((namespace, lease)) = self.lease {
            // A create names nothing that could be compared.
            for (verb, name) in [("create", None), ("get", Some(lease)), ("update", Some(lease))] {
                rights.insert(Right::new(Some(namespace), ("coordination.k8s.io", "leases", verb), name));
            }
        }
        rights
    }
}
