//! The server: one process that renders the pages, serves the files and lets peers meet.

#[cfg(feature = "ssr")]
mod server;
#[cfg(feature = "ssr")]
mod settings;

#[cfg(feature = "ssr")]
#[tokio::main]
async fn main() -> std::process::ExitCode {
    use clap::Parser;
    use tracing_subscriber::EnvFilter;

    let settings = settings::Settings::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_target(false).init();
    match server::run(settings).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("converge: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

// cargo builds the binary's target with the library's features too, where there is no server.
#[cfg(not(feature = "ssr"))]
fn main() {}
