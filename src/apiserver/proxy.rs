//! By which proxy the API server is reached: the rules of kubectl, which are those of Go's `net/http`. Pure but for [`Environment::read`].
//!
//! A `proxy-url` in the kubeconfig comes first, and `NO_PROXY` does not touch it. Else the environment says: `HTTPS_PROXY` for an API server with
//! `https`, `HTTP_PROXY` for one with `http`, but none for localhost, a loopback address, or what `NO_PROXY` names.

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

/// Why a proxy cannot be used. It is not repeated with its password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Not a URL.
    #[error("{origin} is not a URL such as http://proxy.example:3128")]
    Malformed {
        /// Where it was found.
        origin: &'static str,
    },
    /// A scheme that is not spoken.
    #[error("{origin} begins with '{scheme}://'; use http, https or socks5")]
    Scheme {
        /// Where it was found.
        origin: &'static str,
        /// What it begins with.
        scheme: String,
    },
}

/// What the environment says of proxies: the variable in capital letters before the one in small ones.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `HTTPS_PROXY`
    pub https: String,
    /// `HTTP_PROXY`
    pub http: String,
    /// `NO_PROXY`
    pub none: String,
}

impl Environment {
    /// That of this process.
    pub fn read() -> Self {
        #[expect(clippy::disallowed_methods, reason = "these variables belong to the whole process, as in any program")]
        let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let either = |name: &str| get(name).or_else(|| get(&name.to_ascii_lowercase())).unwrap_or_default();
        Self { https: either("HTTPS_PROXY"), http: either("HTTP_PROXY"), none: either("NO_PROXY") }
    }
}

/// The proxy on the way to `server`; `None`: directly. `named`: the `proxy-url` of the kubeconfig.
pub fn choose(named: Option<&str>, server: &Uri, environment: &Environment) -> Result<Option<Uri>, ProxyError> {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return parse("the proxy-url of the kubeconfig", named).map(Some);
    }
    let (origin, proxy, port) = match server.scheme_str() {
        Some("http") => ("HTTP_PROXY", &environment.http, 80),
        _ => ("HTTPS_PROXY", &environment.https, 443),
    };
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    if proxy.is_empty() || is_spared(&environment.none, host, server.port_u16().unwrap_or(port)) {
        return Ok(None);
    }
    // As everybody writes it who has learned it from curl.
    let with_scheme = if proxy.contains("://") { proxy.clone() } else { format!("http://{proxy}") };
    parse(origin, &with_scheme).map(Some)
}

fn parse(origin: &'static str, text: &str) -> Result<Uri, ProxyError> {
    let proxy: Uri = text.trim().parse().map_err(|_| ProxyError::Malformed { origin })?;
    match proxy.scheme_str() {
        _ if proxy.host().is_none_or(str::is_empty) => Err(ProxyError::Malformed { origin }),
        Some("http" | "https" | "socks5" | "socks5h") => Ok(proxy),
        Some(scheme) => Err(ProxyError::Scheme { origin, scheme: scheme.to_owned() }),
        None => Err(ProxyError::Malformed { origin }),
    }
}

/// A proxy for people: without user and password.
pub fn shown(proxy: &Uri) -> String {
    let port = proxy.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", proxy.scheme_str().unwrap_or("http"), proxy.host().unwrap_or_default())
}

/// Whether `NO_PROXY` (or that it is this machine) says that there is no proxy on the way to `host`.
fn is_spared(none: &str, host: &str, port: u16) -> bool {
    let host = host.to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    let mut entries = none.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|entry| !entry.is_empty());
    entries.any(|entry| entry == "*" || names(&entry, &host, address, port))
}

/// Whether one entry of `NO_PROXY` means that host: an address, a network, a domain with what is below it, `.domain` or `*.domain` for only what is
/// below it; each but a network with a port, if only that is meant.
fn names(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if let Ok(network) = entry.parse::<IpNet>() {
        return address.is_some_and(|address| network.contains(&address));
    }
    let (name, only) = with_port(entry);
    if only.is_some_and(|only| only != port) {
        return false;
    }
    if let Ok(named) = name.parse::<IpAddr>() {
        return address == Some(named);
    }
    let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
    match name.strip_prefix('.') {
        Some(domain) => !domain.is_empty() && host.ends_with(name),
        None => host == name || host.strip_suffix(name).is_some_and(|before| before.ends_with('.')),
    }
}

/// `host:port` and `[address]:port` in two. A bare address of IPv6 has colons too.
fn with_port(entry: &str) -> (&str, Option<u16>) {
    if entry.parse::<IpAddr>().is_ok() {
        return (entry, None);
    }
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (entry, None),
        },
        None => (entry, None),
    };
    (name.trim_matches(['[', ']']), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(https: &str, none: &str) -> Environment {
        Environment { https: https.to_owned(), http: "http://plain.example:1".to_owned(), none: none.to_owned() }
    }

    fn way(named: Option<&str>, server: &str, https: &str, none: &str) -> String {
        match choose(named, &server.parse().unwrap(), &environment(https, none)) {
            Ok(None) => "direct".to_owned(),
            Ok(Some(proxy)) => shown(&proxy),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_kubeconfig_comes_before_the_environment() {
        let kube = "https://kube.example:6443";
        assert_eq!(way(None, kube, "", ""), "direct");
        assert_eq!(way(None, kube, "http://env.example:3128", ""), "http://env.example:3128");
        assert_eq!(way(None, kube, "env.example:3128", ""), "http://env.example:3128");
        assert_eq!(way(Some("socks5://own.example"), kube, "http://env.example", "*"), "socks5://own.example");
        assert_eq!(way(Some(""), kube, "http://env.example", ""), "http://env.example");
        assert_eq!(way(None, "http://kube.example", "http://env.example", ""), "http://plain.example:1");
    }

    #[test]
    fn this_machine_is_reached_without_one() {
        for server in ["https://localhost:6443", "https://127.0.0.1:6443", "https://127.9.9.9", "https://[::1]:6443"] {
            assert_eq!(way(None, server, "http://env.example", ""), "direct", "{server}");
        }
        assert_eq!(way(Some("http://own.example"), "https://127.0.0.1:6443", "", ""), "http://own.example");
    }

    #[test]
    fn no_proxy_names_hosts_domains_addresses_and_networks() {
        let rows = [
            ("kube.example", "kube.example", true),
            ("example", "kube.example", true),
            ("ube.example", "kube.example", false),
            (".example", "kube.example", true),
            ("*.example", "kube.example", true),
            (".kube.example", "kube.example", false),
            ("*.kube.example", "kube.example", false),
            ("KUBE.Example", "kube.example", true),
            (" a , kube.example ", "kube.example", true),
            (",,", "kube.example", false),
            ("*", "kube.example", true),
            ("kube.example:6443", "kube.example", true),
            ("kube.example:443", "kube.example", false),
            ("example:6443", "kube.example", true),
            ("10.96.0.1", "10.96.0.1", true),
            ("10.96.0.1:443", "10.96.0.1", false),
            ("10.96.0.0/12", "10.96.0.1", true),
            ("10.96.0.0/12", "10.112.0.1", false),
            ("10.96.0.0/12", "kube.example", false),
            ("fd00::/8", "[fd00::1]", true),
            ("fd00::1", "[fd00::1]", true),
            ("[fd00::1]:6443", "[fd00::1]", true),
            ("[fd00::1]:443", "[fd00::1]", false),
            (".svc,.cluster.local,10.0.0.0/8", "kubernetes.default.svc", true),
            ("no/host,10.0.0.0/99", "kube.example", false),
        ];
        for (none, host, spared) in rows {
            let way = way(None, &format!("https://{host}:6443"), "http://env.example", none);
            assert_eq!(way == "direct", spared, "NO_PROXY={none} and {host}: {way}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_its_password() {
        let said = |named| way(Some(named), "https://kube.example", "", "");
        assert_eq!(
            said("ftp://me:hunter2@own.example"),
            "the proxy-url of the kubeconfig begins with 'ftp://'; use http, https or socks5"
        );
        for named in ["http://me:hunter2@own example", "own.example:3128", "http://"] {
            let said = said(named);
            assert_eq!(
                said, "the proxy-url of the kubeconfig is not a URL such as http://proxy.example:3128",
                "{named}"
            );
        }
        assert_eq!(shown(&"https://me:hunter2@own.example:8".parse().unwrap()), "https://own.example:8");
    }
}
