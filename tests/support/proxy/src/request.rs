//! What a request asks of Kubernetes, by its method and path. It must not look at bodies.

use hyper::{Method, Uri};

/// What is asked. Empty text means that the request has no such part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; the method in lower case for what is no resource.
    pub verb: String,
    /// The API group, empty for the core.
    pub group: String,
    /// The plural.
    pub resource: String,
    /// `status`, for example.
    pub subresource: String,
    /// The namespace.
    pub namespace: String,
    /// The object; empty for lists and creates.
    pub name: String,
}

impl Asked {
    pub(crate) fn read(method: &Method, uri: &Uri) -> Self {
        let mut parts = uri.path().split('/').filter(|part| !part.is_empty());
        let group = match parts.next() {
            Some("api") => Some(""),
            Some("apis") => parts.next(),
            _ => None,
        };
        let rest: Vec<&str> = parts.skip(1).collect();
        let (Some(group), false) = (group, rest.is_empty()) else {
            return Self { verb: method.as_str().to_ascii_lowercase(), ..Self::default() };
        };
        // `namespaces/x` is an object, `namespaces/x/y` something in it.
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && !["status", "finalize"].contains(&rest[0]) => {
                (*namespace, rest)
            }
            rest => ("", rest),
        };
        let part = |at: usize| rest.get(at).copied().unwrap_or_default().to_owned();
        let (resource, name, subresource) = (part(0), part(1), part(2));
        let watches = uri.query().is_some_and(|query| query.split('&').any(|it| it == "watch=true" || it == "watch=1"));
        let verb = match (method.as_str(), name.is_empty()) {
            ("GET", _) if watches => "watch",
            ("GET", true) => "list",
            ("GET", false) => "get",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", true) => "deletecollection",
            ("DELETE", false) => "delete",
            (other, _) => &other.to_ascii_lowercase(),
        };
        let verb = verb.to_owned();
        Self { verb, group: group.to_owned(), resource, subresource, namespace: namespace.to_owned(), name }
    }

    /// Whether the request can change an object.
    pub fn is_write(&self) -> bool {
        !["get", "list", "watch", "head", "options"].contains(&self.verb.as_str())
    }

    /// Whether its answer is a stream of events.
    pub fn is_watch(&self) -> bool {
        self.verb == "watch"
    }
}

/// As in `patch identities/status of NAME`.
impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        if self.name.is_empty() { Ok(()) } else { write!(f, " of {}", self.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, uri: &str) -> [String; 6] {
        let it = Asked::read(&method.parse().unwrap(), &uri.parse().unwrap());
        [it.verb, it.group, it.resource, it.subresource, it.namespace, it.name]
    }

    #[test]
    fn what_is_asked() {
        let ours = "/apis/unkey.com/v1alpha1";
        for (method, uri, wanted) in [
            ("GET", format!("{ours}/namespaces/n/identities/a"), ["get", "unkey.com", "identities", "", "n", "a"]),
            ("GET", format!("{ours}/identities?limit=5"), ["list", "unkey.com", "identities", "", "", ""]),
            (
                "GET",
                format!("{ours}/namespaces/n/identities?x=1&watch=true"),
                ["watch", "unkey.com", "identities", "", "n", ""],
            ),
            (
                "PATCH",
                format!("{ours}/namespaces/n/identities/a/status"),
                ["patch", "unkey.com", "identities", "status", "n", "a"],
            ),
            (
                "POST",
                "/apis/events.k8s.io/v1/namespaces/n/events".to_owned(),
                ["create", "events.k8s.io", "events", "", "n", ""],
            ),
            ("PUT", "/api/v1/namespaces/n/finalize".to_owned(), ["update", "", "namespaces", "finalize", "", "n"]),
            ("GET", "/api/v1/namespaces/n".to_owned(), ["get", "", "namespaces", "", "", "n"]),
            ("DELETE", "/api/v1/namespaces/n/pods".to_owned(), ["deletecollection", "", "pods", "", "n", ""]),
            ("DELETE", "/api/v1/namespaces/n/pods/p".to_owned(), ["delete", "", "pods", "", "n", "p"]),
            ("GET", "/version".to_owned(), ["get", "", "", "", "", ""]),
            ("GET", ours.to_owned(), ["get", "", "", "", "", ""]),
        ] {
            assert_eq!(asked(method, &uri), wanted.map(ToOwned::to_owned), "{method} {uri}");
        }
    }
}
