//! The server: one process that renders the pages, serves the files and lets peers meet.

#[cfg(feature = "ssr")]
mod server;
#[cfg(feature = "ssr")]
mod settings;

/// Thousands of connections that come and go leave gaps, which this fills better: an idle peer takes a third less memory
/// than with glibc's (`rss_per_peer_kb` in `make bench`).
#[cfg(feature = "ssr")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The most threads that read files. At tokio's default of 512, strangers' requests for files start hundreds, and the
/// allocator keeps some 400 kB of each.
#[cfg(feature = "ssr")]
const FILE_THREADS: usize = 8;

#[cfg(feature = "ssr")]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;
    use std::time::SystemTime;

    use converge_signal::server::{Grant, listen};

    use self::settings::{Command, Problem};

    let (command, settings) = match settings::read() {
        Ok(read) => read,
        // clap prints by itself: help and version to standard output, with success.
        Err(Problem::Arguments(error)) => error.exit(),
        Err(problem) => return fail(&problem),
    };
    if let Err(error) = listen::raise_descriptor_limit() {
        eprintln!("converge: can't raise the limit of file descriptors: {error}");
    }
    for warning in settings.warnings(listen::affordable_connections()) {
        eprintln!("converge: {warning}");
    }
    match command {
        Command::Serve => {
            if let Err(error) = start_log(&settings) {
                return fail(&format!("--log {:?}: {error}", settings.log));
            }
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                Err(error) => return fail(&format!("can't start: {error}")),
            };
            match runtime.block_on(server::run(settings)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error),
            }
        }
        Command::Check => match settings.to_toml() {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        },
        Command::Token { room, valid_for, no_relay, sub } => {
            let Some(tokens) = &settings.tokens else { return fail(&Problem::NoSecret) };
            let grant = if no_relay { Grant::WITHOUT_RELAY } else { Grant::ALL };
            println!("{}", tokens.mint(&room, SystemTime::now() + valid_for.0, grant, sub));
            ExitCode::SUCCESS
        }
    }
}

/// Returns the server's runtime: a thread for each processor, and at most [`FILE_THREADS`] that read files.
#[cfg(feature = "ssr")]
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(FILE_THREADS).build()
}

#[cfg(feature = "ssr")]
fn fail(problem: &dyn std::fmt::Display) -> std::process::ExitCode {
    eprintln!("converge: {problem}");
    std::process::ExitCode::FAILURE
}

#[cfg(feature = "ssr")]
fn start_log(settings: &settings::Settings) -> Result<(), tracing_subscriber::filter::ParseError> {
    use tracing_subscriber::EnvFilter;

    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(&settings.log)?).with_target(false);
    // To standard error, as logs are: standard output says where the server listens.
    let log = log.with_writer(std::io::stderr);
    match settings.log_format {
        settings::LogFormat::Text => log.init(),
        settings::LogFormat::Json => log.json().init(),
    }
    Ok(())
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;
    use std::sync::{Arc, Mutex};

    use super::{FILE_THREADS, runtime};

    #[test]
    fn the_threads_that_read_files_are_bounded() {
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap();
        let runtime = runtime().unwrap();
        // Without a bound the runtime would start a thread for each, since the earlier ones wait at the gate.
        let reads: Vec<_> = (0..10 * FILE_THREADS)
            .map(|_| {
                let gate = gate.clone();
                runtime.spawn_blocking(move || {
                    let _open = gate.lock().unwrap();
                    std::thread::current().id()
                })
            })
            .collect();
        drop(closed);
        let threads: HashSet<_> = reads.into_iter().map(|read| runtime.block_on(read).unwrap()).collect();
        assert!(threads.len() <= FILE_THREADS, "{}", threads.len());
    }
}

// cargo builds the binary's target with the library's features too, where there is no server.
#[cfg(not(feature = "ssr"))]
fn main() {}
