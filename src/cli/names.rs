//! How Identities are named on the command line, `NAME` or `NS/NAME`, and where a command looks for them. It asks nobody whether they exist.

use clap::Args;

use super::run::namespace;
use crate::controller::Scope;
use crate::domain::ObjectKey;

/// `NAME` or `NS/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub namespace: Option<String>,
    pub name: String,
}

/// Why a name is none of one place.
#[derive(Debug, thiserror::Error)]
pub(super) enum NameError {
    #[error("'{0}/{1}' names a namespace, and --namespace another one ('{2}'); leave one of them out")]
    TwoNamespaces(String, String, String),
}

/// Where names are looked for.
#[derive(Args, Clone, Debug)]
pub(super) struct NamespaceArgs {
    /// Namespace; defaults to that of the context
    #[arg(short, long, value_parser = namespace)]
    pub namespace: Option<String>,
}

/// Which Identities are meant.
#[derive(Args, Clone, Debug)]
pub(super) struct PlaceArgs {
    #[command(flatten)]
    pub namespace: NamespaceArgs,

    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,

    /// Only Identities with these labels
    #[arg(short = 'l', long, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub selector: Option<String>,
}

impl PlaceArgs {
    /// `default`: the namespace of the context.
    pub fn scope(&self, default: &str) -> Scope {
        let namespaces = if self.all_namespaces { Vec::new() } else { vec![self.namespace.or(default)] };
        Scope { namespaces, selector: self.selector.clone() }
    }
}

impl NamespaceArgs {
    /// `default`: the namespace of the context.
    pub fn or(&self, default: &str) -> String {
        self.namespace.clone().unwrap_or_else(|| default.to_owned())
    }

    /// Each name with its namespace, and each once.
    pub fn keys(&self, names: &[Named], default: &str) -> Result<Vec<ObjectKey>, NameError> {
        let mut keys: Vec<ObjectKey> = Vec::new();
        for named in names {
            let namespace = match (&named.namespace, &self.namespace) {
                (Some(own), Some(other)) if own != other => {
                    return Err(NameError::TwoNamespaces(own.clone(), named.name.clone(), other.clone()));
                }
                (Some(own), _) => own.clone(),
                (None, _) => self.or(default),
            };
            let key = ObjectKey { namespace, name: named.name.clone() };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        Ok(keys)
    }
}

/// What an Identity may be called: a DNS subdomain.
pub(super) fn named(text: &str) -> Result<Named, String> {
    let (place, name) = text.split_once('/').map_or((None, text), |(place, name)| (Some(place), name));
    let namespace = place.map(namespace).transpose()?;
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let is_name = (1..=253).contains(&name.len()) && name.chars().all(inside);
    if is_name {
        Ok(Named { namespace, name: name.to_owned() })
    } else {
        Err(format!("'{text}' is neither the name of an Identity nor NAMESPACE/NAME"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_bring_its_namespace() {
        let of = |text: &str| named(text).map(|it| (it.namespace.unwrap_or_default(), it.name));
        assert_eq!(of("acme"), Ok((String::new(), "acme".to_owned())));
        assert_eq!(of("shop/acme.eu"), Ok(("shop".to_owned(), "acme.eu".to_owned())));
        for wrong in ["", "/", "a/", "/a", "a/b/c", "Acme", "a_b", "Shop/acme", &"a".repeat(254)] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_namespace_is_that_of_the_name_the_flag_or_the_context() {
        let keys = |flag: Option<&str>, names: &[&str]| {
            let names: Vec<Named> = names.iter().map(|text| named(text).unwrap()).collect();
            let keys = NamespaceArgs { namespace: flag.map(str::to_owned) }.keys(&names, "context").ok()?;
            Some(keys.iter().map(|key| format!("{}/{}", key.namespace, key.name)).collect::<Vec<_>>())
        };
        assert_eq!(keys(None, &["a", "b/a", "context/a"]).unwrap(), ["context/a", "b/a"]);
        assert_eq!(keys(Some("b"), &["a", "b/c"]).unwrap(), ["b/a", "b/c"]);
        assert_eq!(keys(Some("b"), &["c/a"]), None);
    }
}
