//! meta: any JSON object, as long as Unkey can hold it.

use std::fmt::Write as _;

use serde_json::Value;

use super::texts::{ODD, printable};
use super::{Case, Fate, Property, Text, quoted};
use crate::dice::Dice;
use crate::schema::Node;

/// Levels of nesting that Unkey's database takes, meta itself counted.
const LEVELS: usize = 100;
/// Bytes that Unkey takes.
const BYTES: usize = 1_048_576;
/// Bytes of a key that Unkey's database takes.
const KEY: usize = 65_535;

/// `{"a":{"a":…{}}}`, that many levels.
fn deep(levels: usize) -> String {
    format!("{}{{}}{}", "{\"a\":".repeat(levels - 1), "}".repeat(levels - 1))
}

/// `{"a":[[…[]]]}`, that many levels.
fn deep_lists(levels: usize) -> String {
    format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1))
}

fn keys(count: usize) -> String {
    let keys: Vec<String> = (0..count).map(|n| format!("\"key-{n:03}\":{n}")).collect();
    format!("{{{}}}", keys.join(","))
}

/// Exactly that many bytes of compact JSON.
fn bytes(count: usize) -> String {
    format!("{{\"a\":\"{}\"}}", "x".repeat(count - r#"{"a":""}"#.len()))
}

fn long_key(count: usize) -> String {
    format!("{{\"{}\":1}}", "k".repeat(count))
}

pub fn cases(property: &Property) -> Result<Vec<Case>, String> {
    property.has_rules(&[])?;
    let Node::Free { most } = property.node else { return Err(format!("{}: not free", property.path)) };
    let mut cases = property.basics();
    let mut case = |label: &str, text: String, fate| {
        cases.push(Case { heavy: text.len() > 200_000, ..Case::new(property, label, Text::Is(text.into()), fate) });
    };
    case("empty", "{}".to_owned(), Fate::Taken);
    case("the most keys", keys(most), Fate::Taken);
    case("one key too many", keys(most + 1), Fate::Refused);
    let plain = [
        ("one key", r#"{"plan":"pro"}"#),
        ("nulls", r#"{"a":null,"b":{"c":null},"d":[null,null]}"#),
        ("only a null", r#"{"a":null}"#),
        ("nothing in many ways", r#"{"a":{},"b":[],"c":"","d":null,"e":0,"f":false,"":{"":""}}"#),
        ("lists in lists", r#"{"a":[[],[[1]],[{"b":[]}]]}"#),
        ("flags", r#"{"a":true,"b":false}"#),
        ("flags and numbers as texts", r#"{"a":"true","b":"1","c":"null","d":"1e3"}"#),
        ("an integer beyond a double", r#"{"a":9007199254740993,"b":-9007199254740993}"#),
        ("the bounds of int64", r#"{"a":9223372036854775807,"b":-9223372036854775808}"#),
        ("beyond int64", r#"{"a":9223372036854775808,"b":18446744073709551616,"c":-9223372036854775809}"#),
        ("the bounds of a double", r#"{"a":1.7976931348623157e308,"b":5e-324,"c":-1.7976931348623157e308}"#),
        ("numbers near a change of notation", r#"{"a":1e21,"b":999999999999999900000,"c":1e-6,"d":1e-7,"e":0.000001}"#),
        ("fractions", r#"{"a":0.1,"b":0.30000000000000004,"c":1.0,"d":-0.0,"e":1e0,"f":100e-2}"#),
        ("too small to be told from zero", r#"{"a":1e-400}"#),
        (
            "keys of other things",
            r#"{"externalId":"x","apiVersion":"v1","kind":"Pod","metadata":{"name":1},"status":{}}"#,
        ),
        ("keys of a program", r#"{"__proto__":{"a":1},"constructor":1,"$ref":"x","a.b":1,"a/b":2,"~0":3}"#),
        ("keys by case", r#"{"a":1,"A":2,"meta":3,"Meta":4}"#),
        ("marks of other languages", r#"{"a":"<b>&\u0026</b>","b":"{{.X}}","c":"${x}","d":"%s%n","e":"'; --"}"#),
        ("half of a pair", r#"{"a":"x\ud800y"}"#),
        ("NFC and NFD keys", "{\"caf\u{e9}\":1,\"cafe\u{301}\":2}"),
    ];
    for (label, text) in plain {
        case(label, text.to_owned(), Fate::Taken);
    }
    case("a key twice", r#"{"a":1,"a":2}"#.to_owned(), Fate::Refused);
    case("beyond a double", r#"{"a":1e400}"#.to_owned(), Fate::Refused);
    case("all that prints", format!("{{{0}:{0}}}", quoted(&printable())), Fate::Taken);
    for (label, text) in ODD {
        case(label, format!("{{{0}:{0}}}", quoted(text)), Fate::Taken);
    }
    for levels in [LEVELS - 1, LEVELS] {
        case(&format!("{levels} levels"), deep(levels), Fate::Taken);
        case(&format!("{levels} levels of lists"), deep_lists(levels), Fate::Taken);
    }
    for levels in [LEVELS + 1, 128, 150, 5_000] {
        case(&format!("{levels} levels"), deep(levels), Fate::Stalled);
    }
    case("101 levels of lists", deep_lists(LEVELS + 1), Fate::Stalled);
    case("5,000 numbers", format!("{{\"a\":[{}0]}}", "1.5,".repeat(4_999)), Fate::Taken);
    case("100 keys of 50 levels", keys(most).replace(":0", &format!(":{}", deep(50))), Fate::Taken);
    case("the longest key", long_key(KEY), Fate::Taken);
    case("a key too long", long_key(KEY + 1), Fate::Stalled);
    case("what breaks a list", bytes(270_000), Fate::Taken);
    case("the most bytes", bytes(BYTES), Fate::Taken);
    case("one byte too many", bytes(BYTES + 1), Fate::Stalled);
    case("too many bytes as Unkey writes them", format!("{{\"a\":\"{}\"}}", "<".repeat(BYTES / 6 + 1)), Fate::Stalled);
    case("more than etcd takes", bytes(1_700_000), Fate::Refused);
    case("more than the API server takes", bytes(3_200_000), Fate::Refused);
    Ok(cases)
}

/// Some object that is taken.
pub fn random(dice: &mut Dice) -> String {
    let mut text = String::new();
    object(dice, 3, &mut text);
    text
}

fn object(dice: &mut Dice, levels: usize, text: &mut String) {
    let mut keys = ["plan", "seats", "\u{e9}t\u{e9}", "a b", "", "flags", "ids", "\u{1f980}"];
    dice.shuffle(&mut keys);
    let count = dice.below(5);
    text.push('{');
    for (at, key) in keys[..count].iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{}:", quoted(key));
        value(dice, levels, text);
    }
    text.push('}');
}

fn value(dice: &mut Dice, levels: usize, text: &mut String) {
    match dice.below(if levels > 0 { 8 } else { 6 }) {
        0 => text.push_str("null"),
        1 => text.push_str(dice.pick(&["true", "false"])),
        2 => text.push_str(dice.pick(&["0", "-0.0", "1", "-1", "0.1", "1e21", "9007199254740993", "1.5e-9"])),
        3 => {
            let _ = write!(text, "{}", dice.below(1_000_000));
        }
        4 => text.push_str(&quoted(dice.pick(&["", "pro", "free", "\u{e9}", "\"\\/", "\u{20000}", "a\nb"]))),
        5 => text.push_str(&quoted(dice.pick(&ODD).1)),
        6 => object(dice, levels - 1, text),
        _ => {
            text.push('[');
            for at in 0..dice.below(4) {
                text.push_str(if at > 0 { "," } else { "" });
                value(dice, levels - 1, text);
            }
            text.push(']');
        }
    }
}

/// The same but for one value in it.
pub fn nudged(text: &str, dice: &mut Dice) -> Option<String> {
    let mut meta: Value = serde_json::from_str(text).ok()?;
    nudge(&mut meta, dice);
    Some(meta.to_string())
}

fn nudge(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let place = dice.below(members.len());
            let Some(inner) = members.values_mut().nth(place) else { return };
            nudge(inner, dice);
        }
        Value::Array(items) if !items.is_empty() => {
            let place = dice.below(items.len());
            nudge(&mut items[place], dice);
        }
        Value::Object(members) => {
            members.insert("new".to_owned(), Value::Null);
        }
        Value::Array(items) => items.push(Value::Null),
        // No container: it may be at the last level that is taken.
        Value::Null => *value = dice.pick(&[Value::from(0), Value::from("null"), Value::from(false)]),
        Value::Bool(flag) => *value = if dice.one_in(2) { Value::from(!*flag) } else { flag.to_string().into() },
        Value::Number(number) => *value = if dice.one_in(2) { number.to_string().into() } else { Value::Null },
        Value::String(text) => text.push(dice.pick(&['\u{200b}', '\u{301}', ' ', 'x'])),
    }
}
