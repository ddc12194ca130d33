//! Where to watch.

use std::collections::BTreeSet;

use kube::{Api, Client};

use super::kind::Kind;

/// Where to watch.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// These namespaces; none: all.
    pub namespaces: Vec<String>,
    /// Label selector.
    pub selector: Option<String>,
}

impl Scope {
    /// The namespaces to ask for; `None`: all at once. Named twice, a namespace would be watched twice.
    pub fn each_namespace(&self) -> Vec<Option<&str>> {
        if self.namespaces.is_empty() {
            return vec![None];
        }
        let namespaces: BTreeSet<&String> = self.namespaces.iter().collect();
        namespaces.into_iter().map(|namespace| Some(namespace.as_str())).collect()
    }

    /// One API handle for each watch.
    pub fn apis<K: Kind>(&self, client: &Client) -> Vec<Api<K>> {
        let api = |namespace: Option<&str>| match namespace {
            None => Api::all(client.clone()),
            Some(namespace) => Api::namespaced(client.clone(), namespace),
        };
        self.each_namespace().into_iter().map(api).collect()
    }
}
