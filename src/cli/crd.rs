//! `unkey-operator crd`.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::api::crd_yaml;

pub(super) fn main() -> ExitCode {
    let problem = match crd_yaml() {
        Ok(yaml) => match std::io::stdout().write_all(yaml.as_bytes()) {
            Ok(()) => return ExitCode::SUCCESS,
            // A reader that has seen enough (`| head`) is no failure worth a message.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::FAILURE,
            Err(error) => format!("the CustomResourceDefinition cannot be written: {error}"),
        },
        Err(error) => error.to_string(),
    };
    eprintln!("unkey-operator: {problem}");
    ExitCode::FAILURE
}
