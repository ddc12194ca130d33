//! The operator's binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The TLS libraries take their cryptography from a process-wide provider and panic without one. It can be set only
    // once; that it was set before is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    unkey_operator::cli::main()
}
