//! What the operator may do: the one list. `tests/chart` compares it with the roles that the chart makes, `tests/cluster` with what the API
//! server logs, right by right. Read in by both; asserts nothing.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;

/// One verb on one resource, as a role grants it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// `None`: in every namespace, and outside of them.
    pub namespace: Option<String>,
    /// `None`: on every object.
    pub name: Option<String>,
    pub group: String,
    /// With its subresource.
    pub resource: String,
    pub verb: String,
}

impl Right {
    pub fn new(namespace: Option<&str>, (group, resource, verb): (&str, &str, &str), name: Option<&str>) -> Self {
        Self {
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            group: group.to_owned(),
            resource: resource.to_owned(),
            verb: verb.to_owned(),
        }
    }

    /// Asks the API server.
    pub async fn is_granted_to(&self, user: &str, client: &Client) -> bool {
        let (resource, subresource) = self.resource.split_once('/').unwrap_or((&self.resource, ""));
        let review = json!({"metadata": {}, "spec": {"user": user, "resourceAttributes": {
            "namespace": self.namespace, "name": self.name,
            "group": self.group, "resource": resource, "subresource": subresource, "verb": self.verb,
        }}});
        let review: SubjectAccessReview = serde_json::from_value(review).unwrap();
        let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await.unwrap();
        answer.status.unwrap().allowed
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

/// How an operator is set up, as far as its rights depend on it.
pub struct Setup<'a> {
    /// The namespaces that it watches; none: all.
    pub watched: &'a [String],
    /// It has its rights in the whole cluster although it watches some namespaces only.
    pub wide: bool,
    /// Where its lease is.
    pub home: &'a str,
    pub lease: &'a str,
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

impl Setup<'_> {
    /// All that this operator ever needs.
    pub fn rights(&self) -> BTreeSet<Right> {
        let everywhere = self.watched.is_empty();
        let watched: Vec<Option<String>> =
            if everywhere || self.wide { vec![None] } else { self.watched.iter().cloned().map(Some).collect() };
        let mut rights: BTreeSet<Right> = watched
            .iter()
            .flat_map(|namespace| WORK.map(|what| Right::new(namespace.as_deref(), what, None)))
            .collect();
        if everywhere {
            let look = ("apiextensions.k8s.io", "customresourcedefinitions", "get");
            rights.insert(Right::new(None, look, Some("identities.unkey.com")));
        }
        // A create names nothing that could be compared.
        for (verb, name) in [("create", None), ("get", Some(self.lease)), ("update", Some(self.lease))] {
            rights.insert(Right::new(Some(self.home), ("coordination.k8s.io", "leases", verb), name));
        }
        rights
    }
}
