//! Reads what other tools and other versions may have written into a status: a value of another form reads as none. Nothing is buffered: a status is
//! read several times for each change.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::condition::StatusCondition;

/// A text, if it is one.
pub struct Word(pub Option<String>);

/// A whole number, if it is one.
struct Number(Option<i64>);

/// A condition, if it can be read as one.
struct Condition(Option<StatusCondition>);

/// The conditions of a list that can be read; of what is no list, none.
pub struct Conditions(pub Vec<StatusCondition>);

/// What a value of another form reads as: everything but what the visitor itself takes.
macro_rules! anything_else {
    ($none:expr; $($form:ident)+) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }

        $(anything_else!(@$form $none);)+
    };
    (@bool $none:expr) => {
        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($none)
        }
    };
    (@numbers $none:expr) => {
        fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($none)
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($none)
        }
    };
    (@fraction $none:expr) => {
        fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($none)
        }
    };
    (@text $none:expr) => {
        fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok($none)
        }
    };
    (@null $none:expr) => {
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($none)
        }
    };
    (@list $none:expr) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok($none)
        }
    };
    (@map $none:expr) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($none)
        }
    };
}

macro_rules! deserialize_by {
    ($type:ident, $visitor:ident) => {
        struct $visitor;

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($visitor)
            }
        }
    };
}

deserialize_by!(Word, WordVisitor);
deserialize_by!(Number, NumberVisitor);
deserialize_by!(Condition, ConditionVisitor);
deserialize_by!(Conditions, ConditionsVisitor);

impl<'de> Visitor<'de> for WordVisitor {
    type Value = Word;

    anything_else!(Word(None); bool numbers fraction null list map);

    fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
        Ok(Word(Some(text.to_owned())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Word, E> {
        Ok(Word(Some(text)))
    }
}

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    anything_else!(Number(None); bool fraction text null list map);

    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number(Some(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        Ok(Number(i64::try_from(number).ok()))
    }
}

impl<'de> Visitor<'de> for ConditionVisitor {
    type Value = Condition;

    anything_else!(Condition(None); bool numbers fraction text null list);

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Condition, A::Error> {
        let [mut type_, mut status, mut reason, mut message, mut since] = [const { None::<String> }; 5];
        let (mut observed_generation, mut is_odd) = (None, false);
        while let Some(Word(Some(key))) = map.next_key()? {
            let text = match key.as_str() {
                "type" => &mut type_,
                "status" => &mut status,
                "reason" => &mut reason,
                "message" => &mut message,
                "lastTransitionTime" => &mut since,
                "observedGeneration" => {
                    let number = map.next_value::<Option<Number>>()?;
                    is_odd |= matches!(number, Some(Number(None)));
                    observed_generation = number.and_then(|number| number.0);
                    continue;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *text = map.next_value::<Word>()?.0;
        }
        let time = since.and_then(|since| serde_json::from_value::<Time>(since.into()).ok());
        let read = || {
            Some(StatusCondition {
                type_: type_?,
                status: status?,
                observed_generation,
                last_transition_time: time?,
                reason: reason?,
                message: message?,
            })
        };
        Ok(Condition(read().filter(|_| !is_odd)))
    }
}

impl<'de> Visitor<'de> for ConditionsVisitor {
    type Value = Conditions;

    anything_else!(Conditions(Vec::new()); bool numbers fraction text null map);

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Conditions, A::Error> {
        let mut found = Vec::new();
        while let Some(Condition(condition)) = list.next_element()? {
            found.extend(condition);
        }
        Ok(Conditions(found))
    }
}
