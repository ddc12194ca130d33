//! The control plane as a command, for the demo and `make`. May not do more than the library.

use std::{
    error::Error,
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use controlplane::{ControlPlane, Options, Resolver, Tools};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

/// A real etcd and kube-apiserver on loopback.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The folder with kubernetes/go.mod and the like; by default the one this program was built beside.
    #[arg(long, global = true, value_name = "DIR")]
    modules: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a control plane until SIGINT or SIGTERM.
    Run(Run),
    /// Finds etcd, kube-apiserver and kubectl, builds them if need be, and prints the directory that holds them.
    Servers,
    /// The same with kube-controller-manager.
    Tools,
    /// The same of helm4 and helm3, which no server needs.
    Helm,
    /// The same of promtool.
    Promtool,
    /// Prints the minor versions of Kubernetes that the variable KUBERNETES may name, oldest first.
    Versions,
}

#[derive(clap::Args)]
struct Run {
    /// Where to write an administrator's kubeconfig: a file that does not exist yet. Removed at the end.
    #[arg(long, value_name = "FILE")]
    kubeconfig: PathBuf,
    /// Run kube-controller-manager too; without it a deleted namespace stays Terminating.
    #[arg(long)]
    controller_manager: bool,
    /// A controller to run beyond those for namespaces, garbage and `ServiceAccount`s.
    #[arg(long, value_name = "NAME", requires = "controller_manager")]
    controller: Vec<String>,
    /// Stop when standard input ends, too.
    #[arg(long)]
    until_eof: bool,
}

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut tools = Resolver::default();
    if let Some(modules) = arguments.modules {
        tools.modules = modules;
    }
    let outcome = match arguments.command {
        Command::Run(run) => block_on(run, tools),
        Command::Servers => print(tools.resolve()),
        Command::Tools => print(tools.resolve_controllers()),
        Command::Helm => print(tools.resolve_helm()),
        Command::Promtool => print(tools.resolve_promtool()),
        Command::Versions => print_versions(&tools),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("controlplane: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(found: controlplane::Result<Tools>) -> Outcome {
    println!("{}", found?.directory().display());
    Ok(())
}

fn print_versions(tools: &Resolver) -> Outcome {
    println!("{}", tools.versions()?.join("\n"));
    Ok(())
}

fn block_on(run: Run, tools: Resolver) -> Outcome {
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(serve(run, tools));
    // Not waited for: a build that a signal interrupted, and a read of standard input.
    runtime.shutdown_background();
    outcome
}

async fn serve(run: Run, tools: Resolver) -> Outcome {
    let mut end = std::pin::pin!(asked_to_end(run.until_eof)?);
    let Run { controller_manager, controller: controllers, kubeconfig, .. } = run;
    // It is removed at the end, and it might be the user's own.
    if kubeconfig.exists() {
        return Err(format!("{} exists; remove it or name another file", kubeconfig.display()).into());
    }
    let options = Options { controller_manager, controllers, tools, ..Options::default() };
    let control_plane = tokio::select! {
        started = ControlPlane::start(options) => started?,
        () = &mut end => return Ok(()),
    };
    write_new(&kubeconfig, &fs::read(control_plane.kubeconfig())?)
        .map_err(|error| format!("cannot write {}: {error}", kubeconfig.display()))?;
    announce(&control_plane, &kubeconfig);
    end.await;
    control_plane.stop().await;
    // It may be gone already.
    let _ = fs::remove_file(kubeconfig);
    Ok(())
}

/// For this user only: it holds a token.
fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    fs::File::options().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)
}

fn announce(control_plane: &ControlPlane, kubeconfig: &Path) {
    let (url, data) = (control_plane.url(), control_plane.directory().display());
    println!("controlplane: ready at {url}, kubeconfig in {}, data in {data}", kubeconfig.display());
}

/// Completes at the first signal or, if so wished, at the end of standard input. Listens from the call on.
fn asked_to_end(until_eof: bool) -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = end_of_input(), if until_eof => {}
        }
    })
}

/// On a thread of its own, which may be blocked for good: see `shutdown_background`.
async fn end_of_input() {
    let _ = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await;
}
