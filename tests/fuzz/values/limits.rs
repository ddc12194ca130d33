//! ratelimits: a list of objects, told apart by name. A case of a property in it is a list of two, one of which has that value.

use serde_json::Value;

use super::texts::{ODD, printable};
use super::{Case, Fate, Property, Text, is, quoted, unknown};
use crate::dice::Dice;
use crate::schema::Node;

const DEFAULTS: [(&str, &str); 3] = [("duration", "60000"), ("limit", "10"), ("name", "\"abc\"")];

/// A limit with one property set, or left out.
fn with(name: &str, text: Option<&str>) -> String {
    let others = DEFAULTS.iter().filter(|(field, _)| *field != name).map(|(field, text)| (*field, *text));
    let all: Vec<String> =
        others.chain(text.map(|text| (name, text))).map(|(field, text)| format!("{}:{text}", quoted(field))).collect();
    format!("{{{}}}", all.join(","))
}

fn named(name: &str) -> String {
    with("name", Some(&quoted(name)))
}

/// A list of these.
fn list(items: &[String]) -> Text {
    is(format!("[{}]", items.join(",")))
}

fn many(count: usize) -> Vec<String> {
    (0..count).map(|n| named(&format!("limit-{n:02}"))).collect()
}

pub fn cases(property: &Property) -> Result<Vec<Case>, String> {
    property.has_rules(&[])?;
    let Node::List { most, key, item } = &property.node else { return Err(format!("{}: no list", property.path)) };
    if key != "name" {
        return Err(format!("{}: told apart by {key}", property.path));
    }
    let mut cases = property.basics();
    let mut case = |label: &str, items: &[String], fate| cases.push(Case::new(property, label, list(items), fate));
    let one = || named("abc");
    case("empty", &[], Fate::Taken);
    case("one", &[one()], Fate::Taken);
    case("two", &[one(), named("def")], Fate::Taken);
    case("two the other way round", &[named("def"), one()], Fate::Taken);
    case("the most", &many(*most), Fate::Taken);
    case("one too many", &many(most + 1), Fate::Refused);
    case("one twice", &[one(), one()], Fate::Refused);
    case("one name with two limits", &[one(), with("limit", Some("11"))], Fate::Refused);
    case("names by case and space", &[one(), named("ABC"), named("abc "), named(" abc")], Fate::Taken);
    case("a null", &["null".to_owned()], Fate::Refused);
    case("a text", &["\"abc\"".to_owned()], Fate::Refused);
    case("a list", &["[]".to_owned()], Fate::Refused);
    case("an empty limit", &["{}".to_owned()], Fate::Refused);
    case("a field that nobody knows", &[with("burst", Some("1"))], Fate::Refused);
    case("a field in another case", &[with("autoapply", Some("true"))], Fate::Refused);
    case("a field twice", &[one().replacen('{', "{\"limit\":10,", 1)], Fate::Refused);
    for field in item {
        cases.extend(of_item(field)?);
    }
    Ok(cases)
}

fn of_item(field: &Property) -> Result<Vec<Case>, String> {
    let mut values: Vec<(String, String, Fate)> =
        field.confusions().into_iter().map(|(label, text, fate)| (label.into(), text.into(), fate)).collect();
    let mut value = |label: &str, text: String, fate| values.push((label.to_owned(), text, fate));
    let ascii = "self.matches('^[ -~]+$')";
    match (field.name.as_str(), &field.node) {
        ("name", Node::Text { shortest, longest, pattern: None }) => {
            field.has_rules(&[ascii])?;
            let long = |count: usize| quoted(&"n".repeat(count));
            value("empty", long(0), Fate::Refused);
            value("one too short", long(shortest - 1), Fate::Refused);
            value("shortest", long(*shortest), Fate::Taken);
            value("longest", long(*longest), Fate::Taken);
            value("one too long", long(longest + 1), Fate::Refused);
            value("all that prints", quoted(&printable()), Fate::Taken);
            value("spaces", quoted("   "), Fate::Taken);
            value("quotes", quoted(r#"'"\`"#), Fate::Taken);
            value("300 kB", long(300_000), Fate::Refused);
            for (label, text) in ODD {
                value(label, quoted(text), Fate::Refused);
            }
        }
        ("limit" | "duration", Node::Integer { least }) => {
            field.has_rules(&[])?;
            for (label, number) in [("least", *least), ("one more than least", least + 1), ("most", i64::MAX)] {
                value(label, number.to_string(), Fate::Taken);
            }
            for (label, number) in [("one too few", least - 1), ("negative", -1), ("lowest", i64::MIN)] {
                value(label, number.to_string(), Fate::Refused);
            }
            value("beyond a double", "9007199254740993".to_owned(), Fate::Taken);
            value("whole with a point", "60000.0".to_owned(), Fate::Taken);
            value("whole with an exponent", "6e4".to_owned(), Fate::Taken);
            // A double to the API server, and beyond those that it takes for integers.
            value("10^18 with an exponent", "1e18".to_owned(), Fate::Refused);
            value("beyond int64", "9223372036854775808".to_owned(), Fate::Refused);
            value("far beyond int64", "1e30".to_owned(), Fate::Refused);
            value("beyond every number", "1e400".to_owned(), Fate::Refused);
        }
        ("autoApply", Node::Flag) => {
            field.has_rules(&[])?;
            value("true", "true".to_owned(), Fate::Taken);
            value("false", "false".to_owned(), Fate::Taken);
        }
        _ => return Err(unknown(&field.path)),
    }
    let absent = if field.required { Fate::Refused } else { Fate::Taken };
    let cases = values.into_iter().map(|(label, text, fate)| {
        let items = [with(&field.name, Some(&text)), named("other")];
        Case::new(field, label, list(&items), fate)
    });
    let left_out = Case::new(field, "left out", list(&[with(&field.name, None), named("other")]), absent);
    Ok(cases.chain([left_out]).collect())
}

/// Some limits that are taken. Few names, so that one comes, changes and goes.
pub fn random(dice: &mut Dice) -> String {
    let mut names = ["abc", "ABC", "requests", "tokens per minute"];
    dice.shuffle(&mut names);
    let count = dice.below(names.len() + 1);
    let items: Vec<String> = names[..count]
        .iter()
        .map(|name| {
            let auto = dice.pick(&["", r#","autoApply":true"#, r#","autoApply":false"#]);
            let (limit, seconds) = (1 + dice.below(3), 1 + dice.below(3));
            format!(r#"{{"name":{},"limit":{limit},"duration":{seconds}000{auto}}}"#, quoted(name))
        })
        .collect();
    format!("[{}]", items.join(","))
}

/// The same but for one field of one limit.
pub fn nudged(text: &str, dice: &mut Dice) -> Option<String> {
    let mut all: Vec<Value> = serde_json::from_str(text).ok()?;
    let names: Vec<Value> = all.iter().map(|limit| limit["name"].clone()).collect();
    let place = dice.below(all.len().max(1));
    let limit = all.get_mut(place)?.as_object_mut()?;
    match dice.pick(&["name", "limit", "duration", "autoApply"]) {
        "name" => {
            let name = limit["name"].as_str()?;
            let other = Value::from(if dice.one_in(2) { name.to_uppercase() } else { format!("{name} ") });
            if names.contains(&other) || other.as_str()?.len() > 128 {
                return None;
            }
            limit.insert("name".to_owned(), other);
        }
        "autoApply" => {
            let on = limit.get("autoApply") == Some(&Value::Bool(true));
            limit.insert("autoApply".to_owned(), Value::Bool(!on));
        }
        field => {
            let number = limit[field].as_i64()?;
            limit.insert(field.to_owned(), number.checked_add(1).unwrap_or(number - 1).into());
        }
    }
    Some(Value::from(all).to_string())
}
