//! Logging: text for people, JSON for machines, to standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `--log-level` does not parse.
    #[error("--log-level: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// It was set up before.
    #[error("logging is already set up")]
    Twice(#[from] TryInitError),
}

/// Sets up logging for the process. `level` is a level or a filter (`info,unkey_operator=debug`).
pub fn init(format: LogFormat, level: &str) -> Result<(), LogError> {
    let mut filter = EnvFilter::builder().parse(level)?;
    // What these say, ours say in other words: the runtime's spans, its warning of a watch that is refused, and the client's line for each 5xx,
    // however often a request is repeated. Asked for by name, they are there.
    let most = ["kube_client", "hyper", "hyper_util", "reqwest", "rustls", "tower"].map(|noisy| (noisy, "warn"));
    let least = [("kube_runtime", "error"), ("kube_client::client::builder", "off")];
    for (noisy, least) in least.into_iter().chain(most) {
        let crate_name = noisy.split("::").next().unwrap_or(noisy);
        if !level.contains(crate_name) {
            filter = filter.add_directive(format!("{noisy}={least}").parse()?);
        }
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_target(false).with_ansi(false).finish().try_init()?,
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).finish().try_init()?;
        }
    }
    Ok(())
}
