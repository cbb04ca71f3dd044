//! Pages, files and signalling behind one address; what watches them behind another.

mod headers;
mod pages;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use converge_signal::server::{Listen, SettingsError, Signalling, listen};
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::pages::Site;
use crate::settings::Settings;

/// Why the server can't run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    #[error("{0}")]
    Settings(#[from] SettingsError),
    #[error("can't listen on {addr}: {error}")]
    Listen { addr: SocketAddr, error: std::io::Error },
}

/// Serves until told to stop, and then for a bounded time.
pub(crate) async fn run(settings: Settings) -> Result<(), ServerError> {
    let origins = settings.server.origins.clone();
    let signalling = Signalling::new(settings.server)?;
    let (listener, addr) = bind(settings.addr)?;
    let operator = match settings.metrics_addr {
        Some(addr) => Some(bind(addr)?),
        None => None,
    };
    let secure = settings.listen.tls.is_some();
    let app =
        pages::router(pages::options(addr), &signalling, Site { secure, origins, pages_per_ip: settings.pages_per_ip });
    // On standard output and by themselves: scripts wait for them.
    println!("listening on http{}://{addr}", if secure { "s" } else { "" });
    if let Some((_, addr)) = &operator {
        println!("metrics on http://{addr}/metrics");
    }

    let (stopping, stop) = watch::channel(false);
    let drain_within = settings.listen.drain_within;
    let public = listen::serve(listener, app, settings.listen, told(stop.clone()));
    let watched = async {
        if let Some((listener, _)) = operator {
            let settings = Listen { drain_within: Duration::ZERO, ..Listen::default() };
            // To the end, so that it can be seen that the server is on its way out.
            let ended = async {
                told(stop).await;
                tokio::time::sleep(drain_within).await;
            };
            let routes: Router = signalling.operator_router();
            listen::serve(listener, routes, settings, ended).await;
        }
    };
    let ending = async {
        stop_signal().await;
        tracing::info!("stopping");
        // Who watches sees it first; then nobody new is let in, and everybody is told.
        let _ = stopping.send(true);
        signalling.drain(drain_within).await;
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(public, ending) } => {}
        () = async { watched.await; std::future::pending().await } => {}
    }
    tracing::info!("stopped");
    Ok(())
}

fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let failed = |error| ServerError::Listen { addr, error };
    let listener = listen::bind(addr).map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok((listener, addr))
}

/// Resolves when the server has been told to stop.
async fn told(mut stop: watch::Receiver<bool>) {
    // The sender is not dropped before.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Resolves at ctrl-c, or at SIGTERM where there is such a thing.
async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
