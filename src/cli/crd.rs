//! `unkey-operator crd`.

use std::io::Write;
use std::process::ExitCode;

use crate::api::crd_yaml;

pub(super) fn main() -> ExitCode {
    match crd_yaml() {
        // A reader that has seen enough (`| head`) is no failure worth a message.
        Ok(yaml) if std::io::stdout().write_all(yaml.as_bytes()).is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("unkey-operator: {error}");
            ExitCode::FAILURE
        }
    }
}
