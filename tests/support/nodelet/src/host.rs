//! What the Pods of a nodelet share: the API, a folder, the index of processes. May not decide when a process starts or ends.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use controlplane::{ControlPlane, Directory, Guarded};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use crate::Options;
use crate::error::{Error, Result};

/// The log of the nodelet itself: no Pod can be named so.
pub(crate) const NOTES: &str = "_nodelet";

/// All processes by the name of their Pod; `None` when nothing may be started any more.
type Table = Option<BTreeMap<String, Guarded>>;

pub(crate) struct Host {
    pub(crate) client: Client,
    pub(crate) options: Options,
    /// Where the API is served.
    pub(crate) url: String,
    /// The certificates by which it is known.
    pub(crate) authority: PathBuf,
    reporter: Reporter,
    network: [u8; 2],
    last: AtomicU8,
    // Dropped in this order: the directory goes when the processes are gone.
    table: Mutex<Table>,
    directory: Directory,
}

impl Host {
    pub(crate) async fn new(plane: &ControlPlane, options: Options) -> Result<Self> {
        let client = plane.client().await?;
        let reporter = Reporter { controller: "nodelet".to_owned(), instance: Some(options.node.clone()) };
        // Several nodelets of this machine: each has some 250 addresses, two of them rarely the same.
        let random = RandomState::new().build_hasher().finish().to_le_bytes();
        Ok(Self {
            reporter,
            client,
            options,
            url: plane.url(),
            authority: plane.certificate_authority(),
            network: [random[0].max(1), random[1]],
            last: AtomicU8::new(0),
            table: Mutex::new(Some(BTreeMap::new())),
            directory: Directory::create(plane.directory(), "node-")?,
        })
    }

    /// A folder of this name, which ends with the nodelet.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// An address that no other Pod has.
    pub(crate) fn address(&self) -> Ipv4Addr {
        let last = self.last.fetch_add(1, Ordering::Relaxed) % 254 + 1;
        Ipv4Addr::new(127, self.network[0], self.network[1], last)
    }

    /// Tells of a Pod what a person may want to know.
    pub(crate) async fn tell(&self, pod: &Pod, reason: &str, note: String) -> Result<()> {
        let event = Event {
            type_: EventType::Warning,
            reason: reason.to_owned(),
            note: Some(note),
            action: reason.to_owned(),
            secondary: None,
        };
        // One that remembers would count another note as a repetition of the last.
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        Ok(recorder.publish(&event, &pod.object_ref(&())).await?)
    }

    /// Keeps a line for who looks into a failure.
    pub(crate) fn note(&self, line: &str) {
        let path = self.log_path(NOTES);
        // There is nobody to tell that this cannot be told.
        let _ = File::options().create(true).append(true).open(path).and_then(|mut notes| writeln!(notes, "{line}"));
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.folder(&format!("{name}.log"))
    }

    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.log_path(name)).unwrap_or_default()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A panic between two of its states is impossible: each change is one call.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, pod: &str, act: impl FnOnce(&mut Guarded) -> controlplane::Result<T>) -> Result<T> {
        let mut table = self.table();
        let guarded = table.as_mut().and_then(|table| table.get_mut(pod));
        Ok(act(guarded.ok_or_else(|| Error::NoProcess(pod.to_owned()))?)?)
    }

    pub(crate) fn start(&self, pod: &str, command: &Command) -> Result<()> {
        let mut table = self.table();
        let running = table.as_mut().ok_or(Error::Ending)?;
        running.insert(pod.to_owned(), Guarded::spawn(&self.directory, pod, command)?);
        Ok(())
    }

    /// How it ended, told once.
    pub(crate) fn ended(&self, pod: &str) -> Result<Option<ExitStatus>> {
        let ended = match self.with(pod, Guarded::ended) {
            Err(Error::NoProcess(_)) => None,
            other => other?,
        };
        if ended.is_some() {
            self.remove(pod);
        }
        Ok(ended)
    }

    pub(crate) fn running(&self) -> Vec<String> {
        self.table().iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    pub(crate) fn pid(&self, pod: &str) -> Result<u32> {
        self.with(pod, |guarded| guarded.pid())
    }

    pub(crate) fn signal(&self, pod: &str, signal: &str) -> Result<()> {
        self.with(pod, |guarded| guarded.signal(signal))
    }

    /// Kills it, if there is one.
    pub(crate) fn remove(&self, pod: &str) {
        let removed = self.table().as_mut().and_then(|table| table.remove(pod));
        drop(removed);
    }

    /// Kills all, and lets none start.
    pub(crate) fn close(&self) {
        let all = self.table().take();
        drop(all);
    }
}
