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
    /// One API handle for each watch.
    pub fn apis<K: Kind>(&self, client: &Client) -> Vec<Api<K>> {
        if self.namespaces.is_empty() {
            return vec![Api::all(client.clone())];
        }
        // Named twice, a namespace would be watched twice.
        let namespaces: BTreeSet<&String> = self.namespaces.iter().collect();
        namespaces.into_iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
    }
}
