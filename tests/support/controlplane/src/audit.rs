//! Reads kube-apiserver's audit log: what was asked of it, by whom, and what it answered. May not write.

use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind},
    path::PathBuf,
    sync::Mutex,
};

use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

use crate::error::{Context, Error, Result};

/// A request that was answered. Empty text means that the request had no such part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// The API group, empty for the core.
    pub group: String,
    /// The plural.
    pub resource: String,
    /// `status`, for example.
    pub subresource: String,
    /// The namespace of the request.
    pub namespace: String,
    /// The object; empty for lists, and for a create by `generateName`.
    pub name: String,
    /// `admin`, or `system:serviceaccount:NAMESPACE:NAME`.
    pub user: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// The HTTP status.
    pub code: u16,
    /// When the request arrived.
    pub at: Timestamp,
}

impl AuditEvent {
    /// Whether the request could change an object.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }
}

/// The log as far as it was read.
#[derive(Debug)]
pub(crate) struct AuditLog {
    path: PathBuf,
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    file: Option<BufReader<File>>,
    /// The start of a line whose end is not written yet.
    line: Vec<u8>,
    events: Vec<AuditEvent>,
}

impl AuditLog {
    /// A log that need not exist yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, read: Mutex::default() }
    }

    /// The events so far that `keep` keeps, in the order in which their requests ended.
    pub(crate) fn events(&self, keep: impl Fn(&AuditEvent) -> bool) -> Result<Vec<AuditEvent>> {
        // A panic while it was held came from `keep`, after the reading.
        let mut read = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.read_on(&mut read)?;
        Ok(read.events.iter().filter(|event| keep(event)).cloned().collect())
    }

    fn read_on(&self, read: &mut Read) -> Result<()> {
        let what = || format!("read {}", self.path.display());
        let Read { file, line, events } = read;
        let file = match file {
            Some(file) => file,
            None => match File::open(&self.path) {
                Ok(opened) => file.insert(BufReader::new(opened)),
                // Made with the first event.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error).context(what),
            },
        };
        while file.read_until(b'\n', line).context(what)? > 0 && line.ends_with(b"\n") {
            let event = parse(line);
            line.clear();
            events.push(event?);
        }
        Ok(())
    }
}

fn parse(line: &[u8]) -> Result<AuditEvent> {
    let raw: Raw = serde_json::from_slice(line)
        .map_err(|source| Error::Audit { line: String::from_utf8_lossy(line).trim_end().to_owned(), source })?;
    Ok(AuditEvent {
        verb: raw.verb,
        group: raw.object.api_group,
        resource: raw.object.resource,
        subresource: raw.object.subresource,
        namespace: raw.object.namespace,
        name: raw.object.name,
        user: raw.user.username,
        user_agent: raw.user_agent,
        code: raw.response.code,
        at: raw.at,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(rename = "objectRef", default)]
    object: Object,
    #[serde(rename = "responseStatus", default)]
    response: Response,
    #[serde(rename = "requestReceivedTimestamp")]
    at: Timestamp,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    resource: String,
    namespace: String,
    name: String,
    api_group: String,
    subresource: String,
}

#[derive(Deserialize, Default)]
struct Response {
    #[serde(default)]
    code: u16,
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    const LINE: &str = r#"{"stage":"ResponseComplete","verb":"patch","user":{"username":"u"},"userAgent":"a","objectRef":{"resource":
"identities","namespace":"n","name":"i","apiGroup":"unkey.com","subresource":"status"},"responseStatus":{"code":200},
"requestReceivedTimestamp":"2026-11-21T03:13:45.451812Z"}"#;

    #[test]
    fn a_line_being_written_is_read_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::new(directory.path().join("audit.log"));
        let count = || log.events(|_| true).unwrap().len();
        assert_eq!(count(), 0, "no file yet");
        let mut file = fs::File::create(&log.path).unwrap();
        let line = LINE.replace('\n', "") + "\n";
        for number in 0..3 {
            let (start, end) = line.split_at(20 * (number + 1));
            file.write_all(start.as_bytes()).unwrap();
            assert_eq!(count(), number);
            assert_eq!(count(), number, "nothing new");
            file.write_all(end.as_bytes()).unwrap();
            assert_eq!(count(), number + 1);
        }
        let event = &log.events(AuditEvent::is_write).unwrap()[0];
        assert_eq!((event.group.as_str(), event.subresource.as_str(), event.code), ("unkey.com", "status", 200));
        assert_eq!(event.at.to_string(), "2026-11-21T03:13:45.451812Z");
    }

    #[test]
    fn a_line_that_is_no_event_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let log = AuditLog::new(directory.path().join("audit.log"));
        fs::write(&log.path, format!("nonsense\n{}\n", LINE.replace('\n', ""))).unwrap();
        assert!(matches!(log.events(|_| true), Err(Error::Audit { line, .. }) if line == "nonsense"));
        assert_eq!(log.events(|_| true).unwrap().len(), 1);
    }
}
