//! What the API server shows of all objects, by one watch, and what the operator has logged. It judges nothing.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::TryStreamExt as _;
use http::Request;
use kube::core::{ObjectList, WatchEvent};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

/// How long the operator may take for one change, on a machine that also compiles.
const DEADLINE: Duration = Duration::from_secs(60);

/// An object without its spec: some are too deep for a parser, which skips them well.
#[derive(Clone, Debug, Deserialize)]
pub struct Shown {
    pub metadata: Value,
    #[serde(default)]
    pub status: Value,
}

impl Shown {
    pub fn name(&self) -> &str {
        self.metadata["name"].as_str().unwrap_or_default()
    }

    /// A condition; null if it is not there.
    pub fn condition(&self, kind: &str) -> &Value {
        let all = self.status["conditions"].as_array();
        all.and_then(|all| all.iter().find(|condition| condition["type"] == kind)).unwrap_or(&Value::Null)
    }

    /// True if the status and its Ready speak of that generation.
    pub fn speaks_of(&self, generation: &Value) -> bool {
        self.status["observedGeneration"] == *generation && self.condition("Ready")["observedGeneration"] == *generation
    }
}

/// An object's newest state, and each reason that was shown for a generation.
#[derive(Default)]
struct Seen {
    now: Option<Arc<Shown>>,
    reasons: Vec<(Value, String)>,
}

/// All objects of a namespace.
pub struct View {
    seen: Mutex<HashMap<String, Seen>>,
    changed: watch::Sender<u64>,
}

impl View {
    pub fn new() -> Self {
        Self { seen: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// Keeps looking; ends with an error only.
    pub async fn follow(&self, client: &kube::Client, path: &str) -> kube::Error {
        loop {
            if let Err(error) = self.follow_once(client, path).await {
                return error;
            }
        }
    }

    /// One list, and a watch until the API server closes it.
    async fn follow_once(&self, client: &kube::Client, path: &str) -> Result<(), kube::Error> {
        let request =
            |query: String| Request::get(format!("{path}{query}")).body(Vec::new()).map_err(kube::Error::HttpError);
        let list: ObjectList<Shown> = client.request(request(String::new())?).await?;
        let version = list.metadata.resource_version.unwrap_or_default();
        let here: Vec<String> = list.items.iter().map(|object| object.name().to_owned()).collect();
        for object in list.items {
            self.note(object, true);
        }
        for (name, seen) in &mut *self.seen.lock().unwrap() {
            if !here.contains(name) {
                seen.now = None;
            }
        }
        let watch = request(format!("?watch=1&resourceVersion={version}"))?;
        let mut events = std::pin::pin!(client.request_events::<Shown>(watch).await?);
        while let Some(event) = events.try_next().await? {
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => self.note(object, true),
                WatchEvent::Deleted(object) => self.note(object, false),
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(_) => break,
            }
        }
        Ok(())
    }

    fn note(&self, object: Shown, here: bool) {
        {
            let mut all = self.seen.lock().unwrap();
            let seen = all.entry(object.name().to_owned()).or_default();
            let ready = object.condition("Ready");
            if let Some(reason) = ready["reason"].as_str() {
                let shown = (ready["observedGeneration"].clone(), reason.to_owned());
                if seen.reasons.last() != Some(&shown) {
                    seen.reasons.push(shown);
                }
            }
            seen.now = here.then(|| Arc::new(object));
        }
        self.changed.send_modify(|count| *count += 1);
    }

    /// The reasons that were shown for that generation, in order.
    pub fn reasons(&self, name: &str, generation: &Value) -> Vec<String> {
        let all = self.seen.lock().unwrap();
        let reasons = all.get(name).map_or(&[][..], |seen| &seen.reasons);
        reasons.iter().filter(|(of, _)| of == generation).map(|(_, reason)| reason.clone()).collect()
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, name: &str) {
        self.seen.lock().unwrap().remove(name);
    }

    fn now(&self, name: &str) -> Option<Arc<Shown>> {
        self.seen.lock().unwrap().get(name).and_then(|seen| seen.now.clone())
    }

    /// Waits until the object is as `holds` wants it, or gone if that is wanted; else tells how it is.
    pub async fn until(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(Option<&Shown>) -> bool,
    ) -> Result<Option<Arc<Shown>>, String> {
        let mut changed = self.changed.subscribe();
        let wait = async {
            loop {
                let now = self.now(name);
                if holds(now.as_deref()) {
                    return now;
                }
                if changed.changed().await.is_err() {
                    return None;
                }
            }
        };
        let found = tokio::time::timeout(DEADLINE, wait).await;
        found.map_err(|_| {
            let now = self
                .now(name)
                .map_or("gone".to_owned(), |now| format!("{} {}", now.metadata["generation"], now.status));
            format!("waited {} s in vain for it to be {what}; it is {now}", DEADLINE.as_secs())
        })
    }
}

/// Trouble that the operator has logged.
pub struct Log {
    path: PathBuf,
    read: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    offset: u64,
    errors: HashMap<String, Vec<String>>,
    worse: Vec<String>,
}

impl Log {
    pub fn new(path: PathBuf) -> Self {
        Self { path, read: Mutex::default() }
    }

    /// The error lines about that object since the last look, and whatever no object's condition can explain since the beginning: a
    /// panic, an error about no object, a line with characters that would fool a terminal.
    pub fn trouble(&self, name: &str) -> (Vec<String>, Vec<String>) {
        let mut read = self.read.lock().unwrap();
        read.more(&self.path).expect("the log can be read");
        (read.errors.remove(name).unwrap_or_default(), read.worse.clone())
    }
}

impl Lines {
    fn more(&mut self, path: &Path) -> std::io::Result<()> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        // Up to the last whole line: what follows may be half a character.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.offset += u64::try_from(whole).unwrap_or_default();
        for line in String::from_utf8_lossy(&bytes[..whole]).lines() {
            self.line(line);
        }
        Ok(())
    }

    fn line(&mut self, line: &str) {
        let fools = line.contains(|c: char| c.is_control() || is_invisible(c));
        if line.contains("panicked at") || line.contains("the reconcile of this object panicked") || fools {
            self.worse.push(line.escape_debug().to_string());
        } else if line.contains(" ERROR ") {
            match line.split_once("identity=\"").and_then(|(_, rest)| rest.split_once('"')) {
                Some((name, _)) => self.errors.entry(name.to_owned()).or_default().push(line.to_owned()),
                None => self.worse.push(line.to_owned()),
            }
        }
    }
}

/// Characters that show nothing or turn what follows around.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
