//! Which of the watched namespaces are known, and which watches stand: for decisions (R8), `/readyz` and metrics. It watches nothing itself.

use parking_lot::Mutex;

use crate::telemetry::{LogOnce, WatchState};

/// What is known of each watch. They are numbered as they are given.
#[derive(Debug)]
pub struct Coverage {
    /// Several of the kind, for people.
    several: &'static str,
    watches: Mutex<Vec<Watch>>,
}

/// One watch.
#[derive(Debug)]
struct Watch {
    /// `None`: all namespaces.
    namespace: Option<String>,
    /// Its objects have been listed once. What a later failure hides is known from before.
    listed: bool,
    /// Why it does not stand.
    trouble: Option<String>,
    told: LogOnce,
}

impl Watch {
    fn state(&self) -> WatchState {
        match (self.listed, &self.trouble) {
            (false, _) => WatchState::Unlisted,
            (true, Some(_)) => WatchState::Broken,
            (true, None) => WatchState::Current,
        }
    }

    fn name(&self) -> &str {
        self.namespace.as_deref().unwrap_or("all")
    }
}

impl Coverage {
    /// Nothing is known yet of these namespaces; `None` stands for all.
    pub fn of(several: &'static str, namespaces: impl IntoIterator<Item = Option<String>>) -> Self {
        let watch = |namespace| Watch { namespace, listed: false, trouble: None, told: LogOnce::default() };
        Self { several, watches: Mutex::new(namespaces.into_iter().map(watch).collect()) }
    }

    /// The objects of this watch are known. True if with them all are.
    pub fn listed(&self, watch: usize) -> bool {
        let mut watches = self.watches.lock();
        if let Some(watch) = watches.get_mut(watch) {
            watch.listed = true;
        }
        watches.iter().all(|watch| watch.listed)
    }

    /// The objects of all watches are known.
    pub fn all_listed(&self) {
        for watch in self.watches.lock().iter_mut() {
            watch.listed = true;
        }
    }

    /// This watch fails, and is tried again. Logged when the reason is a new one.
    pub fn fails(&self, watch: usize, why: String) {
        if let Some(watch) = self.watches.lock().get_mut(watch) {
            if watch.told.is_news(&why) {
                tracing::warn!(namespace = watch.name(), error = %why, "{} cannot be watched; retrying", self.several);
            }
            watch.trouble = Some(why);
        }
    }

    /// The API server serves this watch.
    pub fn stands(&self, watch: usize) {
        if let Some(watch) = self.watches.lock().get_mut(watch) {
            watch.trouble = None;
            if watch.told.ends() {
                tracing::info!(namespace = watch.name(), "{} can be watched again", self.several);
            }
        }
    }

    /// The objects of all watches have been listed once.
    pub fn has_all(&self) -> bool {
        self.watches.lock().iter().all(|watch| watch.listed)
    }

    /// How many watches are in each state.
    pub fn counts(&self) -> Vec<(WatchState, usize)> {
        let watches = self.watches.lock();
        let count = |state| watches.iter().filter(|watch| watch.state() == state).count();
        WatchState::ALL.iter().map(|state| (*state, count(*state))).collect()
    }

    /// A sentence for each namespace that is not watched, with what the API server says.
    pub fn gaps(&self) -> Vec<String> {
        let watches = self.watches.lock();
        let gaps = watches.iter().filter(|watch| watch.state() != WatchState::Current);
        gaps.map(|watch| {
            let unlisted = || format!("the {} are not listed yet", self.several);
            let why = watch.trouble.clone().unwrap_or_else(unlisted);
            match &watch.namespace {
                Some(namespace) => format!("namespace '{namespace}' is not watched: {why}"),
                None => format!("{} are not watched: {why}", self.several),
            }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Coverage {
        Coverage::of("Identities", [Some("a".to_owned()), Some("b".to_owned())])
    }

    fn counts(coverage: &Coverage) -> Vec<usize> {
        coverage.counts().into_iter().map(|(_, count)| count).collect()
    }

    #[test]
    fn nobody_comes_to_own_anything_until_all_have_been_listed() {
        let coverage = two();
        assert!(!coverage.has_all());
        assert!(!coverage.listed(0));
        assert!(!coverage.has_all());
        assert!(coverage.listed(1));
        assert!(coverage.has_all());
        coverage.fails(0, "gone".to_owned());
        assert!(coverage.has_all(), "what it has shown is known");
    }

    #[test]
    fn a_namespace_that_is_not_watched_is_named_as_long_as_it_is_not() {
        let coverage = two();
        coverage.listed(0);
        coverage.fails(1, "no right".to_owned());
        assert_eq!(coverage.gaps(), ["namespace 'b' is not watched: no right"]);
        assert_eq!(counts(&coverage), [1, 0, 1]);
        coverage.listed(1);
        assert_eq!(counts(&coverage), [1, 1, 0]);
        coverage.stands(1);
        assert_eq!(coverage.gaps(), [""; 0]);
        coverage.fails(0, "later".to_owned());
        assert_eq!(coverage.gaps(), ["namespace 'a' is not watched: later"]);
        assert_eq!(counts(&coverage), [1, 1, 0]);
    }
}
