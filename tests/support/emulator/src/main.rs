//! The emulator as a program: reads its arguments, says where it listens, serves until SIGTERM or SIGINT. It must not do what the library
//! does not.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use unkey_emulator::{Emulator, Options, Permissions, Settings};

/// An Unkey v2 identities API in memory: a test double, not a server to keep data in.
#[derive(Parser)]
#[command(name = "unkey-emulator", version)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4001")]
    listen: SocketAddr,
    /// A root key, its workspace and what it may do: read, create, update, delete, or all four when none is named. Repeatable.
    #[arg(long = "root-key", value_name = "KEY=WORKSPACE[:PERMISSIONS]", value_parser = root_key)]
    root_keys: Vec<RootKey>,
    /// How long an operation takes between its reads and its commit, such as 20ms.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    latency: Duration,
    /// How far the read replica is behind, such as 1s.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    replica_lag: Duration,
    /// The workspace limit, of each workspace; none by default.
    #[arg(long, value_name = "N")]
    limit_per_minute: Option<u64>,
    /// Without permission get, update and delete answer as if the identity did not exist, and lists leave out what the key may not read.
    #[arg(long)]
    mask_permissions: bool,
}

#[derive(Clone)]
struct RootKey {
    key: String,
    workspace: String,
    permissions: Permissions,
}

fn root_key(text: &str) -> Result<RootKey, String> {
    let form = || "it must be KEY=WORKSPACE or KEY=WORKSPACE:read,create,update,delete".to_owned();
    let (key, rest) = text.rsplit_once('=').ok_or_else(form)?;
    let (workspace, permissions) = match rest.split_once(':') {
        Some((workspace, list)) => (workspace, list.parse()?),
        None => (rest, Permissions::ALL),
    };
    if key.is_empty() || workspace.is_empty() {
        return Err(form());
    }
    Ok(RootKey { key: key.to_owned(), workspace: workspace.to_owned(), permissions })
}

fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 =
        digits.parse().map_err(|_| "it must be a whole number and a unit, such as 20ms or 1s".to_owned())?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        _ => Err("its unit must be ms, s or m".to_owned()),
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            // clap's first line is the whole message; the usage behind it only hides it.
            eprintln!("{}", error.to_string().lines().next().unwrap_or_default());
            return ExitCode::from(2);
        }
        Err(help) => help.exit(),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    match runtime.block_on(serve(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => fail(&message),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}

async fn serve(arguments: Arguments) -> Result<(), String> {
    let no_signals = |error| format!("cannot wait for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let settings = Settings {
        replica_lag_ms: millis(arguments.replica_lag),
        limit_per_minute: arguments.limit_per_minute,
        latency_ms: millis(arguments.latency),
        disabled: false,
        mask_permissions: arguments.mask_permissions,
    };
    let emulator = Emulator::start(Options { listen: arguments.listen, settings, seed: None })
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    for root_key in arguments.root_keys {
        emulator.add_root_key(&root_key.key, &root_key.workspace, root_key.permissions);
    }
    let base_url = emulator.base_url();
    println!("unkey-emulator listening on {base_url} (in memory: a test double, not a server to keep data in)");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
