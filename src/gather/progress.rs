//! How far a command has come, on standard error, if it takes longer than a second: a line that is written over on a terminal, lines in a pipe.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// What takes less long says nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// From one line to the next.
const ON_TERMINAL: Duration = Duration::from_millis(200);
const IN_PIPE: Duration = Duration::from_secs(5);

/// Tells how far one part of the work has come.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    begun: Instant,
    told: Option<Instant>,
    terminal: bool,
    quiet: bool,
}

impl Progress {
    /// Of the work named so, as in "listing the Identities".
    pub fn of(what: &'static str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { what, begun: Instant::now(), told: None, terminal, quiet: false }
    }

    /// It says nothing.
    pub fn quiet() -> Self {
        Self { quiet: true, ..Self::of("") }
    }

    /// So much is done.
    pub fn at(&mut self, count: usize) {
        let every = if self.terminal { ON_TERMINAL } else { IN_PIPE };
        let due = self.told.map_or(self.begun + PATIENCE, |told| told + every);
        if self.quiet || Instant::now() < due {
            return;
        }
        self.told = Some(Instant::now());
        let seconds = self.begun.elapsed().as_secs();
        // A terminal that is gone is no reason to stop.
        let _ = if self.terminal {
            write!(std::io::stderr(), "\r\x1b[K{}: {count} ({seconds} s)", self.what)
        } else {
            writeln!(std::io::stderr(), "{}: {count} ({seconds} s)", self.what)
        };
    }
}

impl Drop for Progress {
    /// The line on a terminal makes room for the result.
    fn drop(&mut self) {
        if self.terminal && self.told.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
