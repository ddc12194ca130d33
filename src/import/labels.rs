//! What the API server takes for a label. It knows no others than those that a user gives.

use super::names::is_subdomain;

/// The longest name, and the longest value.
const LONGEST: usize = 63;

/// Reads `key=value`.
///
/// # Errors
/// Why the API server would refuse it.
pub fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("'{text}' is not of the form key=value"))?;
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if !is_word(name) || prefix.is_some_and(|prefix| !is_subdomain(prefix)) {
        return Err(format!("'{key}' is not a valid label key"));
    }
    if !value.is_empty() && !is_word(value) {
        return Err(format!("'{value}' is not a valid label value"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn is_word(text: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inside = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.len() <= LONGEST && is_end(text.chars().next()) && is_end(text.chars().last()) && text.chars().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_those_of_the_api_server() {
        let long = "a".repeat(63);
        for (text, key, value) in [
            ("team=a", "team", "a"),
            ("team=", "team", ""),
            ("a.example.com/Team_1=A.b-c", "a.example.com/Team_1", "A.b-c"),
            (&format!("{long}={long}"), &long, &long),
        ] {
            assert_eq!(label(text), Ok((key.to_owned(), value.to_owned())));
        }
        for text in ["team", "=a", "-a=b", "a=b=c", "a=-b", "a/b/c=d", "A_/b=c", "/b=c", "a=é", &format!("{long}a=b")]
        {
            assert!(label(text).is_err(), "{text}");
        }
    }
}
