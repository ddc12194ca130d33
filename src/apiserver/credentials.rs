//! As whom the API server is asked, shared by all clients: what a kubeconfig or a Pod gives, got anew when it ends or is refused. It sends nothing.
//!
//! A 401 means that the credential does not hold any more, whatever it said of its end: an exec plugin is run again, a token file read again. Not
//! more often than every [`BETWEEN`], however many requests are refused: if the new one is refused too, the plugin is not to blame.

use parking_lot::RwLock;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::config::{AuthInfo, ExecConfig};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::plugin::{self, Credential, PluginError};

/// From one run of a plugin to the next, at least.
const BETWEEN: Duration = Duration::from_secs(10);
/// So long before its end a credential is replaced.
const EARLY: SignedDuration = SignedDuration::from_secs(60);

/// One credential.
#[derive(Debug)]
pub(super) struct Current {
    /// Counts up with each.
    pub number: u64,
    /// As whom; without a plugin.
    pub who: AuthInfo,
    expires: Option<Timestamp>,
}

impl Current {
    fn ends_within(&self, time: SignedDuration) -> bool {
        self.expires.is_some_and(|end| Timestamp::now() + time >= end)
    }
}

/// Where credentials come from.
#[derive(Debug)]
pub(super) struct Credentials {
    source: Source,
    current: RwLock<Arc<Current>>,
    /// Held while a new one is got, so that all who wait for it get the same.
    last: Mutex<Last>,
}

#[derive(Debug)]
enum Source {
    /// It cannot be got anew.
    Fixed,
    /// A file that whoever builds a client reads.
    File,
    Plugin(Box<(AuthInfo, ExecConfig)>),
}

/// The last time that one was got.
#[derive(Debug)]
struct Last {
    /// `None`: only the first one was.
    at: Option<Instant>,
    failed: Option<PluginError>,
}

impl Credentials {
    /// Those of a kubeconfig or a Pod. Runs the exec plugin, if there is one.
    pub async fn new(who: AuthInfo) -> Result<Self, PluginError> {
        let source = source(&who);
        let Credential { who, expires } = match &source {
            Source::Plugin(of) => plugin::run(&of.0, &of.1).await?,
            Source::Fixed | Source::File => Credential { who, expires: None },
        };
        let current = RwLock::new(Arc::new(Current { number: 1, who, expires }));
        Ok(Self { source, current, last: Mutex::new(Last { at: None, failed: None }) })
    }

    /// The one to ask with. It is got anew if it is about to end; one that cannot be got is an error only when the old one has ended.
    pub async fn get(&self) -> Result<Arc<Current>, PluginError> {
        let current = self.current();
        if !current.ends_within(EARLY) {
            return Ok(current);
        }
        match self.anew(&current).await {
            Err(error) if current.ends_within(SignedDuration::ZERO) => Err(error),
            Ok(Some(new)) => Ok(new),
            Ok(None) | Err(_) => Ok(current),
        }
    }

    /// One to ask with once more, after `refused` was refused; `None`: there is no other.
    pub async fn instead_of(&self, refused: &Current) -> Option<Arc<Current>> {
        self.anew(refused).await.ok().flatten()
    }

    /// The one that there is, whether or not it has ended.
    pub fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read())
    }

    async fn anew(&self, before: &Current) -> Result<Option<Arc<Current>>, PluginError> {
        let mut last = self.last.lock().await;
        let current = self.current();
        if current.number > before.number {
            return Ok(Some(current));
        }
        if last.at.is_some_and(|at| at.elapsed() < BETWEEN) || matches!(self.source, Source::Fixed) {
            return last.failed.clone().map_or(Ok(None), Err);
        }
        last.at = Some(Instant::now());
        let got = match &self.source {
            Source::Plugin(of) => plugin::run(&of.0, &of.1).await,
            Source::Fixed | Source::File => Ok(Credential { who: current.who.clone(), expires: None }),
        };
        last.failed = got.as_ref().err().cloned();
        let Credential { who, expires } =
            got.inspect_err(|error| tracing::warn!(%error, "no new credential for the API server"))?;
        let new = Arc::new(Current { number: current.number + 1, who, expires });
        *self.current.write() = Arc::clone(&new);
        tracing::info!("renewed the credential for the API server");
        Ok(Some(new))
    }
}

/// By the client's own order: what a kubeconfig gives besides a plugin comes before it.
fn source(who: &AuthInfo) -> Source {
    let is_fixed = who.token.is_some() || who.username.is_some() && who.password.is_some();
    match &who.exec {
        _ if who.auth_provider.is_some() => Source::File,
        _ if is_fixed => Source::Fixed,
        _ if who.token_file.is_some() => Source::File,
        Some(exec) => Source::Plugin(Box::new((who.clone(), exec.clone()))),
        None => Source::Fixed,
    }
}

#[cfg(test)]
mod tests {
    use kube::config::ExecInteractiveMode;

    use super::*;

    /// A plugin that notes each run, and gives what `gives` says of its number.
    async fn plugin(folder: &tempfile::TempDir, gives: &str) -> Credentials {
        let runs = folder.path().join("runs");
        let script = format!("echo >> {0}; n=$(wc -l < {0}); {gives}", runs.display());
        let args = Some(vec!["-c".to_owned(), script]);
        let interactive_mode = Some(ExecInteractiveMode::Never);
        let exec = Some(ExecConfig { command: Some("sh".to_owned()), args, interactive_mode, ..ExecConfig::default() });
        Credentials::new(AuthInfo { exec, ..AuthInfo::default() }).await.unwrap()
    }

    fn runs(folder: &tempfile::TempDir) -> usize {
        std::fs::read_to_string(folder.path().join("runs")).unwrap().lines().count()
    }

    const TOKEN: &str = r#"echo "{\"status\": {\"token\": \"t-$n\"}}""#;

    #[tokio::test]
    async fn a_refused_credential_is_got_anew_once_for_all_who_wait() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = plugin(&folder, TOKEN).await;
        let first = credentials.get().await.unwrap();
        assert_eq!((first.number, runs(&folder)), (1, 1));
        let all = futures::future::join_all((0..20).map(|_| credentials.instead_of(&first))).await;
        assert!(all.iter().all(|new| new.as_ref().unwrap().number == 2));
        assert_eq!(runs(&folder), 2);
        // The new one is refused too: there is nothing to be had for a while.
        let second = credentials.get().await.unwrap();
        for _ in 0..20 {
            assert!(credentials.instead_of(&second).await.is_none());
        }
        assert_eq!(runs(&folder), 2);
        credentials.last.lock().await.at = Instant::now().checked_sub(BETWEEN);
        assert_eq!(credentials.instead_of(&second).await.unwrap().number, 3);
    }

    #[tokio::test]
    async fn one_that_is_about_to_end_is_got_anew_before() {
        let folder = tempfile::tempdir().unwrap();
        let soon = (Timestamp::now() + SignedDuration::from_secs(30)).to_string();
        let gives = format!(r#"echo "{{\"status\": {{\"token\": \"t\", \"expirationTimestamp\": \"{soon}\"}}}}""#);
        let credentials = plugin(&folder, &gives).await;
        assert_eq!(credentials.get().await.unwrap().number, 2);
        // The next one ends as soon: that is no reason to run the plugin for every request.
        for _ in 0..20 {
            credentials.get().await.unwrap();
        }
        assert_eq!(runs(&folder), 2);
    }

    #[tokio::test]
    async fn what_cannot_be_got_is_an_error_when_the_old_one_has_ended() {
        for (end, works) in [(30, true), (-30, false)] {
            let folder = tempfile::tempdir().unwrap();
            let end = (Timestamp::now() + SignedDuration::from_secs(end)).to_string();
            let gives = format!(
                r#"test $n = 1 && echo "{{\"status\": {{\"token\": \"t\", \"expirationTimestamp\": \"{end}\"}}}}""#
            );
            let credentials = plugin(&folder, &gives).await;
            for _ in 0..20 {
                assert_eq!(credentials.get().await.is_ok(), works);
            }
            assert_eq!(runs(&folder), 2, "no storm");
        }
    }

    #[tokio::test]
    async fn what_is_fixed_stays_and_a_file_is_read_again() {
        let fixed = Credentials::new(AuthInfo { token: Some("t".into()), ..AuthInfo::default() }).await.unwrap();
        assert!(fixed.instead_of(&fixed.current()).await.is_none());
        let file = AuthInfo { token_file: Some("/some/token".to_owned()), ..AuthInfo::default() };
        let file = Credentials::new(file).await.unwrap();
        assert_eq!(file.instead_of(&file.current()).await.unwrap().number, 2);
    }
}
