//! What goes on for long is told once.

/// The last thing that was told: it is not told again until something else was, or all was well in between.
#[derive(Debug, Default)]
pub struct LogOnce(Option<String>);

impl LogOnce {
    /// True if this was not the last thing told. It is from now on.
    pub fn is_news(&mut self, what: &str) -> bool {
        let is_news = self.0.as_deref() != Some(what);
        if is_news {
            self.0 = Some(what.to_owned());
        }
        is_news
    }

    /// All is well again. True if something was told of it.
    pub fn ends(&mut self) -> bool {
        self.0.take().is_some()
    }
}

#[test]
fn what_goes_on_is_told_once() {
    let mut told = LogOnce::default();
    assert!(!told.ends(), "nothing was told");
    assert_eq!(["a", "a", "b", "a"].map(|what| told.is_news(what)), [true, false, true, true]);
    assert!(told.ends() && !told.ends());
    assert!(told.is_news("a"), "it has begun anew");
}
