//! Requests that tell what a root key may do and change nothing: Unkey refuses them after it has looked at the permission and before it writes.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::class::Class;
use super::error::Error;
use super::wire::{CreateIdentity, Meta, UpdateIdentity};

/// The externalId of a create that is refused: nothing is ever stored under it.
pub const PROBE: &str = "unkey-operator.probe";

/// A meta that Unkey refuses after it has looked at the permission and before it writes: over 1 MiB as Go encodes it, which takes six
/// bytes for each `<`. If Unkey took that one day, its database would still refuse so many levels.
static TOO_LARGE: LazyLock<Meta> = LazyLock::new(|| {
    let deep = (0..110).fold(Value::Null, |inner, _| json!([inner]));
    let pairs = [("large", json!("<".repeat(200_000))), ("deep", deep)];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
});

/// A create that is refused for its size by whoever would allow it.
pub fn refused_create() -> CreateIdentity<'static> {
    CreateIdentity { external_id: PROBE, meta: Some(&TOO_LARGE), ratelimits: None }
}

/// The same for an update. Name an identity that does not exist.
pub fn refused_update(identity: &str) -> UpdateIdentity<'_> {
    UpdateIdentity { identity, meta: Some(&TOO_LARGE), ratelimits: None }
}

/// True if such a request was refused for its size: the permission is there. The schema is looked at before the root key is, and its refusal, which is
/// a 400 too, would say nothing.
pub fn was_too_large(error: &Error) -> bool {
    matches!(error.class(), Class::Terminal { why } if why.contains("too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_over_what_unkey_takes_and_under_what_it_reads() {
        let text = serde_json::to_string(&refused_create()).unwrap();
        let as_go_has_it = text.len() + 5 * text.matches('<').count();
        assert!(as_go_has_it > 1 << 20 && text.len() < 1 << 20, "{as_go_has_it} {}", text.len());
        assert_eq!(serde_json::to_value(refused_update("x")).unwrap()["identity"], "x");
    }
}
