//! Which identities of a workspace are meant. An identity has to pass all filters. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::unkey::Identity;

/// The filters; those that say nothing let everything pass.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// A part of the id or the externalId, whatever the case.
    pub search: Option<String>,
    /// Beginnings of the externalId, one of which it must have; none: any.
    pub prefixes: Vec<String>,
    /// The externalIds that are meant; `None`: all.
    pub external_ids: Option<BTreeSet<String>>,
    /// What the cluster has, if only what it lacks is meant.
    pub cluster: Option<InCluster>,
}

/// What the Identities of a cluster name.
#[derive(Clone, Debug, Default)]
pub struct InCluster {
    /// The externalIds that an Identity names, in any namespace.
    pub external_ids: BTreeSet<String>,
    /// The externalIds by the names of the Identities in the namespace of the import.
    pub names: BTreeMap<String, String>,
}

impl Selection {
    /// True if this identity is meant.
    pub fn takes(&self, identity: &Identity) -> bool {
        let has = |text: &str, search: &String| text.to_lowercase().contains(&search.to_lowercase());
        let external_id = &identity.external_id;
        self.search.as_ref().is_none_or(|search| has(&identity.id, search) || has(external_id, search))
            && (self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| external_id.starts_with(prefix)))
            && self.external_ids.as_ref().is_none_or(|all| all.contains(external_id))
            && self.cluster.as_ref().is_none_or(|cluster| !cluster.external_ids.contains(external_id))
    }
}

/// The externalIds of a file, one a line. Lines without any are passed over.
pub fn external_ids(text: &str) -> BTreeSet<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_identity_passes_all_filters() {
        let acme: Identity = serde_json::from_value(json!({"id": "id_Abc", "externalId": "cust_Acme"})).unwrap();
        let takes = |selection: Selection| selection.takes(&acme);
        let search = |text: &str| Selection { search: Some(text.to_owned()), ..Selection::default() };
        let prefixes = |all: &[&str]| Selection {
            prefixes: all.iter().map(|it| (*it).to_owned()).collect(),
            ..Selection::default()
        };
        assert!(takes(Selection::default()) && takes(search("T_aC")) && takes(search("ID_A")) && !takes(search("x")));
        assert!(takes(prefixes(&["x", "cust_"])) && !takes(prefixes(&["Cust_"])));
        let named = |text: &str| Selection { external_ids: Some(external_ids(text)), ..search("acme") };
        assert!(takes(named("\r\n a\r\ncust_Acme \r\n")) && !takes(named("cust_acme")) && !takes(named("")));
        let known = InCluster { external_ids: external_ids("cust_Acme"), ..InCluster::default() };
        assert!(!takes(Selection { cluster: Some(known), ..Selection::default() }));
        assert!(takes(Selection { cluster: Some(InCluster::default()), ..Selection::default() }));
    }
}
