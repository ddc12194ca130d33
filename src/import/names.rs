//! The name of a manifest. It follows from the externalId alone, so that each import gives the same name, and of two externalIds each has its own.
//! It knows no cluster.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The longest name that the API server takes.
const LONGEST: usize = 253;
/// Hexadecimal digits of the hash in a name.
const DIGITS: usize = 10;
/// Between what is left of an externalId and its hash.
const MARK: &str = "-x";
/// What stands before the hash if nothing of an externalId can be in a name.
const NOTHING: &str = "id";

/// The name for this externalId: itself where that is a name, else what is left of it and a hash.
pub fn name_of(external_id: &str) -> String {
    // A name that ends as if it had a hash could be that of another externalId, so it gets a hash as well.
    if is_subdomain(external_id) && !ends_with_hash(external_id) {
        return external_id.to_owned();
    }
    let mut name = cleaned(external_id);
    name.push_str(MARK);
    for byte in Sha256::digest(external_id.as_bytes()).iter().take(DIGITS / 2) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// A DNS subdomain, as the API server has it.
pub(super) fn is_subdomain(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_part =
        |part: &str| !part.is_empty() && part.chars().all(inside) && !part.starts_with('-') && !part.ends_with('-');
    text.len() <= LONGEST && text.split('.').all(is_part)
}

fn ends_with_hash(name: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    name.rsplit_once(MARK).is_some_and(|(_, hash)| hash.len() == DIGITS && hash.chars().all(is_digit))
}

/// In lower case, with `-` for what no name may hold, and as long as the hash lets it be.
fn cleaned(external_id: &str) -> String {
    let fitting = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let text: String = external_id.chars().map(fitting).collect();
    let parts: Vec<&str> = text.split('.').map(|part| part.trim_matches('-')).filter(|part| !part.is_empty()).collect();
    let mut name = parts.join(".");
    name.truncate(LONGEST - MARK.len() - DIGITS);
    let end = name.trim_end_matches(['-', '.']).len();
    name.truncate(end);
    if name.is_empty() { NOTHING.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_fits_stays_and_any_other_says_which_it_is() {
        for same in
            ["acme", "a", "0", "a.b-c.d", "x0123456789", "acme-x012345678", "acme-x012345678g", &"a".repeat(253)]
        {
            assert_eq!(name_of(same), same);
        }
        let rows = [
            ("Acme", "acme-x"),
            ("user_1", "user-1-x"),
            ("..a..b.", "a.b-x"),
            ("-a-.-b-", "a.b-x"),
            ("___", "id-x"),
            (".", "id-x"),
            ("acme-x0123456789", "acme-x0123456789-x"),
            ("-x0123456789", "x0123456789-x"),
        ];
        for (external_id, begins) in rows {
            let name = name_of(external_id);
            let hash = name.strip_prefix(begins).unwrap_or_else(|| panic!("{external_id}: {name}"));
            assert!(hash.len() == DIGITS && is_subdomain(&name), "{external_id}: {name}");
        }
        assert_eq!(name_of("Acme"), "acme-x37036cd8f9", "names are promised");
        let long = name_of(&"A".repeat(255));
        assert!(long.len() == LONGEST && long.ends_with(&name_of(&"A".repeat(255))[241..]));
        assert_eq!(name_of(&format!("{}.{}", "a".repeat(240), "b".repeat(14))).len(), 240 + 12, "no dot at the cut");
    }

    /// What looks alike, and what looks like the name of another.
    fn external_id() -> impl Strategy<Value = String> {
        let close = "[aA_.-]{1,4}";
        let hashed = (close, "[0-9a-f]{10}").prop_map(|(begin, hash)| format!("{begin}-x{hash}"));
        let named = close.prop_map(|text| name_of(&text));
        prop_oneof![close, hashed, named, "[a-zA-Z0-9_.-]{1,255}", "\\PC{1,20}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn names_are_one_to_one(all in proptest::collection::vec(external_id(), 2..80)) {
            let mut names: BTreeMap<String, String> = BTreeMap::new();
            for external_id in all {
                let name = name_of(&external_id);
                prop_assert!(is_subdomain(&name), "{external_id:?}: {name}");
                let first = names.entry(name).or_insert_with(|| external_id.clone());
                prop_assert_eq!(first.as_str(), external_id.as_str());
            }
        }
    }
}
