//! externalId, the policies, suspend.

use super::texts::ODD;
use super::{Case, Fate, Property, Text, is, quoted};
use crate::schema::Node;

/// Letters only, and as few as a number needs.
fn letters(chain: usize) -> String {
    let digit = |n: usize| char::from(b'a' + u8::try_from(n % 26).unwrap());
    let (mut rest, mut text) = (chain / 26, digit(chain).to_string());
    while rest > 0 {
        text.insert(0, digit(rest - 1));
        rest = (rest - 1) / 26;
    }
    text
}

/// Cases for the start of a chain. Once an object is there, every other externalId is refused.
pub fn external_id(property: &Property) -> Result<Vec<Case>, String> {
    property.has_rules(&["self == oldSelf", "!self.matches('^id_[a-zA-Z0-9]{8,}$')"])?;
    let Node::Text { shortest: 1, longest: 255, pattern: Some(pattern) } = &property.node else {
        return Err(format!("{}: other bounds than Unkey's: {:?}", property.path, property.node));
    };
    if pattern != "^[a-zA-Z0-9_.-]+$" {
        return Err(format!("{}: another pattern: {pattern}", property.path));
    }
    let mut cases = property.basics();
    let mut case = |label: &str, text: Text, fate| cases.push(Case::new(property, label, text, fate));
    case("empty", is("\"\""), Fate::Refused);
    case("shortest", Text::Of(|chain| quoted(&letters(chain))), Fate::Taken);
    case("longest", Text::Of(|chain| quoted(&format!("{chain:x<255}"))), Fate::Taken);
    case("one too long", Text::Of(|chain| quoted(&format!("{chain:x<256}"))), Fate::Refused);
    case("every character", Text::Of(|chain| quoted(&format!("azAZ09_.-{chain}"))), Fate::Taken);
    case("dots", Text::Of(|chain| quoted(&format!("..{chain:06}."))), Fate::Taken);
    case("dashes", Text::Of(|chain| quoted(&format!("-{chain:06}-"))), Fate::Taken);
    case("id_ and 7", Text::Of(|chain| quoted(&format!("id_{chain:07}"))), Fate::Taken);
    case("id_ and 8", Text::Of(|chain| quoted(&format!("id_{chain:08}"))), Fate::Refused);
    case("id_ and 8, one no letter", Text::Of(|chain| quoted(&format!("id_{chain:07}-"))), Fate::Taken);
    case("ID_ and 8", Text::Of(|chain| quoted(&format!("ID_{chain:08}"))), Fate::Taken);
    case("id_ and 8 inside", Text::Of(|chain| quoted(&format!("my_id_{chain:08}"))), Fate::Taken);
    case("id_ and 20", Text::Of(|chain| quoted(&format!("id_{chain:020}"))), Fate::Refused);
    case("300 kB", is(quoted(&"x".repeat(300_000))), Fate::Refused);
    case("half of a pair", is(r#""abc\ud800""#), Fate::Refused);
    for text in ["a b", " a", "a/b", "../a", "user:1", "a@example.com", "a%00", "{}", "*"] {
        case(&format!("{text:?}"), is(quoted(text)), Fate::Refused);
    }
    for (label, text) in ODD {
        case(label, is(quoted(text)), Fate::Refused);
    }
    Ok(cases)
}

/// Each word, and words that are nearly one.
pub fn words(property: &Property) -> Result<Vec<Case>, String> {
    property.has_rules(&[])?;
    let Node::Words(words) = &property.node else { return Err(format!("{}: no words", property.path)) };
    let mut cases = property.basics();
    let mut case = |label: String, text: &str, fate| cases.push(Case::new(property, label, is(quoted(text)), fate));
    for word in words {
        case(word.clone(), word, Fate::Taken);
        case(format!("{word} in lower case"), &word.to_lowercase(), Fate::Refused);
        case(format!("{word} and a space"), &format!("{word} "), Fate::Refused);
        case(format!("{word} with a zero-width space"), &format!("{word}\u{200b}"), Fate::Refused);
    }
    case("no word".to_owned(), "", Fate::Refused);
    case("a word of another tool".to_owned(), "Retain", Fate::Refused);
    Ok(cases)
}

/// True and false.
pub fn flag(property: &Property) -> Result<Vec<Case>, String> {
    property.has_rules(&[])?;
    let mut cases = property.basics();
    for text in ["true", "false"] {
        cases.push(Case::new(property, text, is(text), Fate::Taken));
    }
    for text in ["true", "false", "yes", ""] {
        cases.push(Case::new(property, format!("the text {text:?}"), is(quoted(text)), Fate::Refused));
    }
    Ok(cases)
}
