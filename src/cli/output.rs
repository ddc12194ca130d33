//! How commands for people print their result: all of it at once, to standard output, and nothing else there.

use std::io::{ErrorKind, IsTerminal, Write};

use clap::{Args, ValueEnum};

/// The form of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Jsonl,
}

#[derive(Args, Debug, Clone)]
pub(super) struct OutputArgs {
    /// Form of the result
    #[arg(long, short, value_enum, env = "UNKEY_OUTPUT", default_value = "text")]
    pub output: Format,
}

impl OutputArgs {
    /// Colours are for a terminal, and for nobody who does not want them (<https://no-color.org>).
    pub fn has_colour(&self) -> bool {
        self.output == Format::Text && std::io::stdout().is_terminal() && !no_colour()
    }
}

#[expect(clippy::disallowed_methods, reason = "any value of NO_COLOR counts, which is no flag's value")]
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Prints a result by `write`. It has to be whole before: what is cut off must not pass for a result.
pub(super) fn print_by(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints a result. A reader that has seen enough (`| head`) is no failure.
pub(super) fn print(text: &str) -> std::io::Result<()> {
    print_by(|stdout| stdout.write_all(text.as_bytes()))
}
