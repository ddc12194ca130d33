//! The root key: where it comes from, when it changed, and how it stays out of sight.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::looks::Looks;

/// The environment variable that holds a root key when no file does. There is no flag for the key: argv is world-readable.
pub const ROOT_KEY_ENV: &str = "UNKEY_ROOT_KEY";

/// A root key is some 40 characters; a file beyond this is the wrong file.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// Why there is no usable root key. `origin` names the file or the environment variable, never its content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// No such file, or the environment variable is not set.
    #[error("no root key: {origin} does not exist")]
    Missing {
        /// The file or the environment variable.
        origin: String,
    },
    /// It is there and no file.
    #[error("no root key: {origin} is {what}; name a file that contains the key")]
    NotAFile {
        /// The path.
        origin: String,
        /// What it is: `a directory`.
        what: &'static str,
    },
    /// The file is there but cannot be read (permissions, an I/O error).
    #[error("no root key: {origin} cannot be read ({})", .source.kind())]
    NotReadable {
        /// The file.
        origin: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nothing but white space.
    #[error("no root key: {origin} is empty")]
    Empty {
        /// The file or the environment variable.
        origin: String,
    },
    /// Over 64 KiB.
    #[error("no root key: {origin} is larger than 64 KiB, which no root key is")]
    TooLarge {
        /// The file.
        origin: String,
    },
    /// Not UTF-8.
    #[error("no root key: {origin} is not UTF-8 text{hint}")]
    NotUtf8 {
        /// The file or the environment variable.
        origin: String,
        /// What it is instead, if that can be told.
        hint: &'static str,
    },
    /// Not a key, but something around one or made of one.
    #[error("no root key: {origin} {looks}")]
    LooksLike {
        /// The file or the environment variable.
        origin: String,
        /// What it looks like.
        looks: Looks,
    },
    /// White space inside, control or non-ASCII characters: such a key cannot be sent in a header.
    #[error("no root key: {origin} has spaces, control or non-ASCII characters inside, which no root key has")]
    Malformed {
        /// The file or the environment variable.
        origin: String,
    },
}

/// Where the root key comes from. Cheap to clone; clones share what they have seen.
///
/// A file is read anew for each call: no other test of change notices a rewrite of equal length within the time stamp's granularity. A
/// mounted Secret is a few bytes in memory (tmpfs), read in some ten microseconds, so the calling thread does it. Only a text that differs
/// from the last one is parsed.
#[derive(Clone)]
pub struct Credentials(Arc<Inner>);

struct Inner {
    source: Source,
    seen: Mutex<Option<Seen>>,
    changes: watch::Sender<u64>,
}

enum Source {
    File(PathBuf),
    Value(RootKey),
}

/// The last thing read, to tell a change: a key, or what is said of its absence.
enum Seen {
    Key(RootKey),
    Failure(String),
}

/// A key that is fit for a header.
#[derive(Clone)]
pub(crate) struct RootKey {
    text: SecretString,
    header: HeaderValue,
}

impl Credentials {
    /// The key is the content of a file, without surrounding white space. The file may appear, change or vanish at any time.
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        Self::new(Source::File(path.into()))
    }

    /// The key is this value, without surrounding white space.
    pub fn from_value(value: &SecretString) -> Result<Self, CredentialError> {
        RootKey::parse(value.expose_secret(), "the given value").map(|key| Self::new(Source::Value(key)))
    }

    /// This very key, whatever becomes of the file.
    pub(crate) fn of(key: RootKey) -> Self {
        Self::new(Source::Value(key))
    }

    /// The key is the value of [`ROOT_KEY_ENV`], read once.
    pub fn from_env() -> Result<Self, CredentialError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the credentials module: the key has no flag for clap to read"
        )]
        let value = std::env::var_os(ROOT_KEY_ENV);
        let value = value.ok_or_else(|| CredentialError::Missing { origin: ROOT_KEY_ENV.to_owned() })?;
        let value =
            value.to_str().ok_or_else(|| CredentialError::NotUtf8 { origin: ROOT_KEY_ENV.to_owned(), hint: "" })?;
        RootKey::parse(value, ROOT_KEY_ENV).map(|key| Self::new(Source::Value(key)))
    }

    fn new(source: Source) -> Self {
        Self(Arc::new(Inner { source, seen: Mutex::new(None), changes: watch::Sender::new(0) }))
    }

    /// A counter that grows whenever a different key, or a different failure to read one, is found.
    ///
    /// Changes are found by every call of the client and by [`Credentials::watch`]; the first reading counts as a change only if
    /// it happens after subscribing, so wake up, compare and go on.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Looks for a change every `period`, for as long as it is polled. Without it an idle operator would not notice a new key.
    pub async fn watch(&self, period: Duration) {
        loop {
            // The outcome goes to the subscribers; whoever needs the key meets the same error.
            let _ = self.key();
            tokio::time::sleep(period).await;
        }
    }

    /// Whether there is a usable key now, for readiness.
    pub fn check(&self) -> Result<(), CredentialError> {
        self.key().map(drop)
    }

    pub(crate) fn key(&self) -> Result<RootKey, CredentialError> {
        let path = match &self.0.source {
            // It cannot change, so there is nothing to compare.
            Source::Value(key) => return Ok(key.clone()),
            Source::File(path) => path,
        };
        let text = read_file(path);
        if let Some(key) = text.as_ref().ok().and_then(|text| self.seen_key(text)) {
            return Ok(key);
        }
        let found = text.and_then(|text| RootKey::parse(text.expose_secret(), &path.display().to_string()));
        self.notice(&found);
        found
    }

    /// The key that was read last, if this is its text.
    fn seen_key(&self, text: &SecretString) -> Option<RootKey> {
        match &*self.seen() {
            Some(Seen::Key(key)) if key.text.expose_secret() == text.expose_secret().trim() => Some(key.clone()),
            _ => None,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        // A panic elsewhere cannot leave an `Option` half written.
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notice(&self, found: &Result<RootKey, CredentialError>) {
        let now = match found {
            Ok(key) => Seen::Key(key.clone()),
            Err(error) => Seen::Failure(error.to_string()),
        };
        let mut seen = self.seen();
        let same = match (&*seen, &now) {
            (Some(Seen::Key(a)), Seen::Key(b)) => a.text.expose_secret() == b.text.expose_secret(),
            (Some(Seen::Failure(a)), Seen::Failure(b)) => a == b,
            _ => false,
        };
        if !same {
            *seen = Some(now);
            self.0.changes.send_modify(|count| *count += 1);
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.source {
            Source::File(path) => f.debug_tuple("Credentials::File").field(path).finish(),
            Source::Value(_) => f.write_str("Credentials::Value([redacted])"),
        }
    }
}

impl RootKey {
    fn parse(text: &str, origin: &str) -> Result<Self, CredentialError> {
        let origin = || origin.to_owned();
        let text = text.trim();
        if text.is_empty() {
            return Err(CredentialError::Empty { origin: origin() });
        }
        if let Some(looks) = Looks::of(text) {
            return Err(CredentialError::LooksLike { origin: origin(), looks });
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialError::Malformed { origin: origin() });
        }
        let mut header = HeaderValue::try_from(format!("Bearer {text}"))
            .map_err(|_| CredentialError::Malformed { origin: origin() })?;
        // Keeps it out of the Debug output of headers, here and in hyper and h2, and out of HTTP/2's shared header table.
        header.set_sensitive(true);
        Ok(Self { text: SecretString::from(text), header })
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// First 12 hex digits of SHA-256(base URL, NUL, key): tells two credentials apart without revealing either.
    pub(crate) fn mark(&self, base_url: &str) -> String {
        let digest =
            Sha256::new().chain_update(base_url).chain_update([0]).chain_update(self.text.expose_secret()).finalize();
        format!("{:012x}", digest.iter().take(6).fold(0_u64, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// `text` without the key, should a server have echoed it.
    pub(crate) fn redact(&self, text: &str) -> String {
        text.replace(self.text.expose_secret(), "[root key]")
    }
}

fn read_file(path: &Path) -> Result<SecretString, CredentialError> {
    let origin = || path.display().to_string();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => CredentialError::Missing { origin: origin() },
        _ => CredentialError::NotReadable { origin: origin(), source },
    };
    // Before opening: opening a named pipe would wait for a writer. Symbolic links are followed, as mounted Secrets need.
    if let Some(what) = no_file(std::fs::metadata(path).map_err(failed)?.file_type()) {
        return Err(CredentialError::NotAFile { origin: origin(), what });
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells "too large" without trusting a length that may change meanwhile.
    std::fs::File::open(path).map_err(failed)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(CredentialError::TooLarge { origin: origin() });
    }
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let hint = if is_utf16 { " but UTF-16; save it as UTF-8" } else { "" };
    // `FromUtf8Error` holds the bytes, hence no source.
    let text = String::from_utf8(bytes).map_err(|_| CredentialError::NotUtf8 { origin: origin(), hint })?;
    Ok(SecretString::from(text))
}

/// What is there in place of a file, if it is none.
fn no_file(kind: std::fs::FileType) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a named pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

#[cfg(test)]
mod tests;
