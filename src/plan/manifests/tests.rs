//! What is read of manifests, and what is refused.

use super::*;

fn read_text(text: &str) -> Result<Manifests, ManifestError> {
    let mut manifests = Manifests::default();
    manifests.add_text("a.yaml", text, "shop").map(|()| manifests)
}

const ONE: &str = "apiVersion: unkey.com/v1alpha1\nkind: Identity\nmetadata: {name: acme}\nspec: {externalId: acme}\n";

#[test]
fn documents_lists_and_others() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: unkey.com/v1alpha1, kind: Identity, metadata: {name: b, namespace: other}, spec: {}}\n";
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    let found = read_text(&format!("---\n{ONE}---\n---\n{list}---\n{other}")).unwrap();
    let keys: Vec<_> = found.all.keys().map(|key| format!("{}/{}", key.namespace, key.name)).collect();
    assert_eq!((keys, found.others), (vec!["other/b".to_owned(), "shop/acme".to_owned()], 1));
}

#[test]
fn what_cannot_be_used_says_where_it_stands_and_shows_no_content() {
    let said = |text: &str| read_text(text).unwrap_err().to_string();
    assert_eq!(said("a: 1\n"), "'a.yaml' is not a Kubernetes manifest: it has no apiVersion and kind");
    assert!(
        said("a: [secret\nb: {").starts_with("'a.yaml', document 1 is not valid YAML or JSON: line"),
        "{}",
        said("a: [secret\nb: {")
    );
    assert!(
        said(&format!("{ONE}---\n{ONE}"))
            .contains("'a.yaml', document 2 is the same Identity as 'a.yaml', document 1: shop/acme")
    );
    assert!(said(&ONE.replace("name: acme", "generateName: a-")).contains("has no metadata.name"));
    assert!(said(&ONE.replace("v1alpha1", "v1")).contains("has apiVersion 'unkey.com/v1'"));
}

#[test]
fn names_are_those_of_kubernetes() {
    let said = |name: &str| read_text(&ONE.replace("name: acme", name)).unwrap_err().to_string();
    for name in ["Acme_1", "a b", "-a", "a/../b", "a..b"] {
        assert!(said(&format!("name: \"{name}\"")).contains("metadata.name"), "{name}");
    }
    assert!(said("name: a, namespace: \"shop/identities?x=\"").contains("metadata.namespace 'shop/identities?x='"));
    assert!(said("name: \"a\\n```\"").contains("metadata.name 'a\\n```'"));
}

/// kubectl reads them as true and false.
#[test]
fn plain_words_that_kubectl_reads_otherwise_are_noted() {
    let note = |text: &str| read_text(&format!("{ONE}---\n{text}")).map(|it| it.doubtful).unwrap();
    let with = |value: &str| {
        let spec = format!("spec: {{externalId: other, meta: {{beta: {value}}}}}");
        ONE.replace("acme", "other").replace("spec: {externalId: other}", &spec)
    };
    for word in ["on", "No", "017", "1_000"] {
        assert_eq!(note(&with(word)), ["'a.yaml', line 9"], "{word}");
    }
    for fine in ["\"on\"", "true", "once", "1"] {
        assert_eq!(note(&with(fine)), Vec::<String>::new(), "{fine}");
    }
}
