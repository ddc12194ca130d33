//! The annotations of an object: ours, and how much room those of others leave. The values of others are measured, not kept: they would be most of
//! what a large cluster costs in memory.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use crate::api::{APPROVED_ANNOTATION, CLAIM_ANNOTATION, RECONCILE_ANNOTATION};
use crate::domain::{Crowd, MAX_ANNOTATION_BYTES};

/// More than any claim takes: a uid, a hash and an id.
const ROOM: usize = 4096;

/// What is kept of them.
#[derive(Debug, Default)]
pub struct Annotations {
    pub claim: Option<Box<str>>,
    pub reconcile_request: Option<Box<str>>,
    pub deletion_approved: Option<Box<str>>,
    /// Those of others, if they leave less room than a claim may take.
    pub crowd: Option<Crowd>,
}

impl<'de> serde::Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(All)
    }
}

struct All;

impl<'de> Visitor<'de> for All {
    type Value = Annotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
        let mut ours = Annotations::default();
        let mut others = Crowd { bytes: 0, largest: String::new(), largest_bytes: 0 };
        // One text for all keys, and one for the largest so far.
        let mut key = String::new();
        while map.next_key_seed(Buffer(&mut key))?.is_some() {
            if key == CLAIM_ANNOTATION {
                ours.claim = map.next_value()?;
                continue;
            }
            let asked = match key.as_str() {
                RECONCILE_ANNOTATION => Some(&mut ours.reconcile_request),
                APPROVED_ANNOTATION => Some(&mut ours.deletion_approved),
                _ => None,
            };
            let bytes = match asked {
                Some(asked) => {
                    *asked = map.next_value()?;
                    asked.as_ref().map_or(0, |text| text.len())
                }
                None => map.next_value_seed(Length)?,
            };
            others.bytes += key.len() + bytes;
            if bytes > others.largest_bytes {
                others.largest_bytes = bytes;
                std::mem::swap(&mut others.largest, &mut key);
            }
        }
        ours.crowd = (others.bytes + ROOM > MAX_ANNOTATION_BYTES).then_some(others);
        Ok(ours)
    }
}

/// Reads a text into one that has room already.
struct Buffer<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Buffer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Buffer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.clear();
        self.0.push_str(text);
        Ok(())
    }
}

/// Measures a text.
struct Length;

impl<'de> DeserializeSeed<'de> for Length {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Length {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or nothing")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        Ok(text.len())
    }

    fn visit_unit<E: Error>(self) -> Result<usize, E> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(annotations: &serde_json::Value) -> Annotations {
        serde_json::from_str(&annotations.to_string()).unwrap()
    }

    #[test]
    fn ours_are_kept_and_others_only_measured() {
        let found = read(&json!({"a": "b", CLAIM_ANNOTATION: "u:v1:x:", RECONCILE_ANNOTATION: "now", "none": null}));
        assert_eq!((found.claim.as_deref(), found.reconcile_request.as_deref()), (Some("u:v1:x:"), Some("now")));
        assert_eq!(found.crowd, None);
    }

    #[test]
    fn what_leaves_little_room_is_named() {
        let text = |bytes: usize| "x".repeat(bytes);
        let large = MAX_ANNOTATION_BYTES - ROOM - 10 - "first".len() - "large".len() - RECONCILE_ANNOTATION.len() - 3;
        let full =
            json!({"first": text(10), "large": text(large), CLAIM_ANNOTATION: text(9000), RECONCILE_ANNOTATION: "now"});
        assert_eq!(read(&full).crowd, None, "just room enough");
        let crowd =
            read(&json!({"first": text(10), "large": text(large + 1), "é\n": "é", RECONCILE_ANNOTATION: "now"}))
                .crowd
                .unwrap();
        // In UTF-8, as the API server counts, and without the escapes of JSON.
        assert_eq!(crowd.bytes, MAX_ANNOTATION_BYTES - ROOM + 1 + "é\né".len());
        assert_eq!((crowd.largest.as_str(), crowd.largest_bytes), ("large", large + 1));
    }
}
