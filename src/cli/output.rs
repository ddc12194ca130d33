//! How commands for people print their result: all of it at once, to standard output, and nothing else there.

use std::io::{ErrorKind, IsTerminal, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;

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

/// Why a result cannot be printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    #[error("the result cannot be put into JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the result cannot be written: {0}")]
    Write(#[from] std::io::Error),
}

impl OutputArgs {
    /// Prints one result. `text`: as people read it.
    pub fn document<T: Serialize>(&self, document: &T, text: impl FnOnce() -> String) -> Result<(), OutputError> {
        let whole = match self.output {
            Format::Text => text(),
            Format::Json => format!("{}\n", serde_json::to_string_pretty(document)?),
            Format::Jsonl => format!("{}\n", serde_json::to_string(document)?),
        };
        Ok(print(&whole)?)
    }

    /// Prints several results: one document with `items`, or a document a line.
    pub fn items<T: Serialize>(&self, items: &[T], text: impl FnOnce() -> String) -> Result<(), OutputError> {
        if self.output != Format::Jsonl {
            return self.document(&json!({"items": items}), text);
        }
        let lines = items.iter().map(|item| serde_json::to_string(item).map(|line| format!("{line}\n")));
        Ok(print(&lines.collect::<Result<String, _>>()?)?)
    }

    /// Writes a report: one document, or a document a line of what `items` takes out of its field `name`, and what is left of it last.
    pub fn report<T: Serialize, I: Serialize>(
        &self,
        out: &mut dyn Write,
        mut report: T,
        (name, items): (&str, impl FnOnce(&mut T) -> Vec<I>),
        text: impl FnOnce(&T) -> String,
    ) -> std::io::Result<()> {
        match self.output {
            Format::Text => write!(out, "{}", text(&report)),
            Format::Json => {
                serde_json::to_writer_pretty(&mut *out, &report)?;
                writeln!(out)
            }
            Format::Jsonl => {
                for item in items(&mut report) {
                    serde_json::to_writer(&mut *out, &item)?;
                    writeln!(out)?;
                }
                let mut rest = serde_json::to_value(&report)?;
                if let Some(fields) = rest.as_object_mut() {
                    fields.remove(name);
                }
                writeln!(out, "{rest}")
            }
        }
    }

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
