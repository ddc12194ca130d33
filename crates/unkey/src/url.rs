//! The base URL: checked once, in one normal form, because it is part of the credential mark that is compared across restarts.

use reqwest::Url;

/// Why a base URL is refused. The URL itself is not repeated: one with embedded credentials would leak them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Not an absolute URL with a host.
    #[error("the API URL is not an absolute URL such as https://api.unkey.com")]
    Malformed,
    /// Neither `https` nor `http` (which is allowed for an emulator or a self-hosted server inside the cluster).
    #[error("the API URL must begin with https:// or http://")]
    Scheme,
    /// `user:password@` before the host; the root key is the only credential.
    #[error("the API URL must not contain a user name or password")]
    Credentials,
    /// A query or fragment, which cannot be joined with a path.
    #[error("the API URL must not contain a query or fragment")]
    Suffix,
}

/// A base URL without trailing slash, so that `{base}/v2/…` has no doubled slash: Unkey answers `//v2/…` with a redirect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let url = Url::parse(text).map_err(|_| BaseUrlError::Malformed)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(BaseUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BaseUrlError::Suffix);
        }
        // The HTTP client needs it in this form too; better to fail here than at each call.
        url.as_str().parse::<http::Uri>().map_err(|_| BaseUrlError::Malformed)?;
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// `path` begins with a slash.
    pub(crate) fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_normal_form_per_server() {
        for (text, normal) in [
            ("https://api.unkey.com", "https://api.unkey.com"),
            ("https://api.unkey.com/", "https://api.unkey.com"),
            ("HTTPS://API.unkey.com:443//", "https://api.unkey.com"),
            (" https://api.unkey.com\n", "https://api.unkey.com"),
            ("http://127.0.0.1:7070", "http://127.0.0.1:7070"),
            ("http://[::1]:7070/", "http://[::1]:7070"),
            ("https://gateway.example/unkey/", "https://gateway.example/unkey"),
        ] {
            let base = BaseUrl::parse(text).unwrap();
            assert_eq!(base.as_str(), normal, "{text}");
            assert_eq!(base.join("/v2/x"), format!("{normal}/v2/x"), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_base_is_refused_without_being_repeated() {
        for (text, why) in [
            ("", BaseUrlError::Malformed),
            ("api.unkey.com", BaseUrlError::Malformed),
            ("https://", BaseUrlError::Malformed),
            ("ftp://api.unkey.com", BaseUrlError::Scheme),
            ("unix:/run/unkey.sock", BaseUrlError::Scheme),
            ("localhost:7070", BaseUrlError::Scheme),
            ("https://root:hunter2@api.unkey.com", BaseUrlError::Credentials),
            ("https://hunter2@api.unkey.com", BaseUrlError::Credentials),
            ("https://api.unkey.com?hunter2", BaseUrlError::Suffix),
            ("https://api.unkey.com/#hunter2", BaseUrlError::Suffix),
        ] {
            let error = BaseUrl::parse(text).unwrap_err();
            assert_eq!(error, why, "{text}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}");
        }
    }
}
