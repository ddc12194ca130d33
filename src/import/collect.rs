//! All manifests of an import, in the order of their externalIds, and what is left out. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::document::document;
use super::manifest::{Form, loses_keys, manifest};
use super::names::name_of;
use super::select::Selection;
use super::unusual::Unusual;
use crate::unkey::Identity;

/// What Unkey holds, as manifests.
#[derive(Debug, Default)]
pub struct Import {
    /// In the order of their externalIds.
    pub manifests: Vec<Manifest>,
    /// What is meant and has no manifest.
    pub left_out: Vec<LeftOut>,
    /// Manifests that lack keys of meta although the operator would manage meta.
    pub losing: usize,
}

/// One manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The externalId that it names.
    pub external_id: String,
    /// The document.
    pub text: String,
    /// What is unusual about it.
    pub unusual: Option<Unusual>,
}

/// An identity without a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its externalId.
    pub external_id: String,
    /// Each reason in a sentence.
    pub why: Vec<String>,
}

/// Makes manifests of what `selection` takes.
pub fn import(identities: Vec<Identity>, selection: &Selection, form: &Form) -> Import {
    let mut import = Import::default();
    import.not_there(&identities, selection);
    let mut taken: Vec<Identity> = identities.into_iter().filter(|it| selection.takes(it)).collect();
    taken.sort_by(|a, b| (&a.external_id, &a.id).cmp(&(&b.external_id, &b.id)));
    taken.dedup_by(|a, b| a.id == b.id);
    let mut names: BTreeMap<String, String> =
        selection.cluster.as_ref().map(|cluster| cluster.names.clone()).unwrap_or_default();
    for identity in &taken {
        import.add(identity, form, &mut names);
    }
    import
}

impl Import {
    /// What the user named, and Unkey does not hold.
    fn not_there(&mut self, identities: &[Identity], selection: &Selection) {
        let held: BTreeSet<&String> = identities.iter().map(|it| &it.external_id).collect();
        for external_id in selection.external_ids.iter().flatten().filter(|it| !held.contains(it)) {
            self.leave_out(external_id, vec!["Unkey holds no identity of this externalId".to_owned()]);
        }
    }

    /// `names`: those that are taken, and the externalId behind each.
    fn add(&mut self, identity: &Identity, form: &Form, names: &mut BTreeMap<String, String>) {
        let external_id = &identity.external_id;
        let name = name_of(external_id);
        if let Some(holder) = names.get(&name) {
            let why = if holder == external_id {
                "Unkey lists two identities of this externalId, as one was replaced meanwhile; run this command again"
                    .to_owned()
            } else {
                format!("the name '{name}' is that of another Identity already, with externalId '{holder}'")
            };
            return self.leave_out(external_id, vec![why]);
        }
        match manifest(identity, form) {
            Ok(manifest) => {
                self.losing += usize::from(loses_keys(identity, form));
                let unusual = Unusual::of(&manifest);
                self.manifests.push(Manifest { external_id: external_id.clone(), text: document(&manifest), unusual });
                names.insert(name, external_id.clone());
            }
            Err(why) => self.leave_out(external_id, why),
        }
    }

    fn leave_out(&mut self, external_id: &str, why: Vec<String>) {
        self.left_out.push(LeftOut { external_id: external_id.to_owned(), why });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::manifest::tests::{form, identity};
    use super::super::select::{InCluster, external_ids};
    use super::*;

    fn stored(id: &str, external_id: &str) -> Identity {
        let mut identity = identity(external_id, json!({"a": 1}), json!([]));
        id.clone_into(&mut identity.id);
        identity
    }

    fn names(import: &Import) -> Vec<String> {
        let name = |text: &String| serde_yaml::from_str::<Value>(text).unwrap()["metadata"]["name"].clone();
        import.manifests.iter().map(|it| name(&it.text).as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn manifests_stand_in_the_order_of_external_ids() {
        let all = ["c", "B", "a", "b"];
        let listed = all.iter().enumerate().map(|(at, name)| stored(&format!("id_{at}"), name)).collect();
        let made = import(listed, &Selection::default(), &form());
        let expected = [&name_of("B"), "a", "b", "c"];
        assert_eq!((names(&made), made.left_out.len()), (expected.map(str::to_owned).to_vec(), 0));
        // The same in another order, and one of them twice.
        let again = [3, 0, 2, 1, 0].iter().map(|at| stored(&format!("id_{at}"), all[*at])).collect();
        assert_eq!(import(again, &Selection::default(), &form()).manifests, made.manifests);
    }

    #[test]
    fn what_has_no_manifest_is_left_out_with_its_reason() {
        let taken = InCluster { names: BTreeMap::from([("a".to_owned(), "A".to_owned())]), ..InCluster::default() };
        let selection = Selection {
            external_ids: Some(external_ids("a\nid_12345678\nmissing\ntwice\nz")),
            cluster: Some(taken),
            ..Selection::default()
        };
        let listed = vec![
            stored("id_1", "a"),
            stored("id_2", "id_12345678"),
            stored("id_3", "not-meant"),
            stored("id_4", "twice"),
            stored("id_5", "twice"),
            stored("id_6", "z"),
        ];
        let made = import(listed, &selection, &form());
        assert_eq!(names(&made), ["twice", "z"]);
        let told: Vec<String> =
            made.left_out.iter().map(|it| format!("{}: {}", it.external_id, it.why.join("; "))).collect();
        assert_eq!(told[0], "missing: Unkey holds no identity of this externalId");
        assert_eq!(told[1], "a: the name 'a' is that of another Identity already, with externalId 'A'");
        assert!(told[2].starts_with("id_12345678: spec.externalId is refused: "), "{told:?}");
        assert!(told[3].starts_with("twice: Unkey lists two identities of this externalId"), "{told:?}");
        assert_eq!(told.len(), 4);
    }
}
