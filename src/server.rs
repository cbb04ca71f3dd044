//! Pages, files and signalling behind one address.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderValue, header};
use axum::response::{Redirect, Response};
use axum::routing::get;
use converge_app::{App, shell};
use converge_signal::server::{SettingsError, Signalling};
use leptos::config::{Env, LeptosOptions};
use leptos_axum::{LeptosRoutes, generate_route_list};
use tokio::net::TcpListener;
use tower_http::compression::CompressionLayer;
use tower_http::services::ServeDir;

use crate::settings::Settings;

/// Why the server can't run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    #[error("{0}")]
    Settings(#[from] SettingsError),
    #[error("can't listen on {addr}: {error}")]
    Listen { addr: SocketAddr, error: std::io::Error },
    #[error("can't go on serving: {0}")]
    Serve(std::io::Error),
}

/// After the signal to stop, requests that are being answered have this long.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until told to stop.
pub(crate) async fn run(settings: Settings) -> Result<(), ServerError> {
    let signalling = Signalling::new(settings.signalling())?;
    let listen = |error| ServerError::Listen { addr: settings.addr, error };
    let listener = TcpListener::bind(settings.addr).await.map_err(listen)?;
    let addr = listener.local_addr().map_err(listen)?;
    let app = router(options(addr), &signalling);
    // On standard output and by itself: scripts wait for it.
    println!("listening on http://{addr}");
    let stopping = std::sync::Arc::new(tokio::sync::Notify::new());
    let stopped = stopping.clone();
    let serve = axum::serve(listener, app).with_graceful_shutdown(async move {
        stop_signal().await;
        tracing::info!("stopping");
        stopped.notify_one();
    });
    tokio::select! {
        served = serve.into_future() => served.map_err(ServerError::Serve),
        // A browser that keeps its connection open must not keep the server from ending.
        () = async { stopping.notified().await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}

/// Everything there is to serve.
fn router(options: LeptosOptions, signalling: &Signalling) -> Router {
    let pkg = Path::new(&*options.site_root).join(&*options.site_pkg_dir);
    let files = ServeDir::new(pkg).precompressed_br().precompressed_gzip();
    let pages = Router::new()
        .leptos_routes(&options, generate_route_list(App), {
            let options = options.clone();
            move || shell(options.clone())
        })
        .fallback(leptos_axum::file_and_error_handler(shell))
        .layer(CompressionLayer::new())
        .with_state(options.clone());
    // Files under pkg/ carry a hash of their content in their names, and are compressed when they are built.
    let pkg = Router::new().fallback_service(files).layer(axum::middleware::map_response(cache_for_ever));
    Router::new()
        .nest(&format!("/{}", options.site_pkg_dir), pkg)
        .route("/healthz", get(|| async { "ok" }))
        .route("/r", get(open_room))
        .merge(signalling.router())
        .merge(pages)
}

/// Where the landing page's form leads without JavaScript: on to the room it names.
async fn open_room(Query(query): Query<HashMap<String, String>>) -> Redirect {
    let topic = query.get("topic").map(|topic| converge_app::checked_topic(topic));
    match topic {
        Some(Ok(topic)) => Redirect::to(&converge_app::room_path(&topic)),
        _ => Redirect::to("/"),
    }
}

async fn cache_for_ever(mut response: Response) -> Response {
    if response.status().is_success() {
        let value = HeaderValue::from_static("public, max-age=31536000, immutable");
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    response
}

/// Leptos' options. cargo-leptos gives them by its environment; a server started by hand finds its files itself.
fn options(addr: SocketAddr) -> LeptosOptions {
    let var = |name: &str| std::env::var(name).ok();
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_path_buf()));
    let site_root = var("LEPTOS_SITE_ROOT").map(PathBuf::from).or_else(|| find_site(beside.as_deref()));
    let hashed = beside.is_some_and(|dir| dir.join("hash.txt").is_file());
    let env = if var("LEPTOS_ENV").as_deref() == Some("DEV") || cfg!(debug_assertions) { Env::DEV } else { Env::PROD };
    let reload_port = var("LEPTOS_RELOAD_PORT").and_then(|port| port.parse().ok()).unwrap_or(3001);
    LeptosOptions::builder()
        .output_name(env!("LEPTOS_OUTPUT_NAME"))
        .site_root(site_root.unwrap_or_else(|| "target/site".into()).to_string_lossy().into_owned())
        .site_addr(addr)
        .reload_port(reload_port)
        .env(env)
        .hash_files(hashed)
        .build()
}

/// The built files: in the checkout's target folder, or beside the program.
fn find_site(beside: Option<&Path>) -> Option<PathBuf> {
    let mut places = vec![PathBuf::from("target/site")];
    places.extend(beside.into_iter().flat_map(|dir| [dir.join("../site"), dir.join("site")]));
    places.into_iter().find(|place| place.is_dir())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    async fn get(path: &str) -> (StatusCode, axum::http::HeaderMap, String) {
        let signalling = Signalling::new(converge_signal::server::Settings::default()).unwrap();
        let site = std::env::temp_dir().join(format!("converge-site-{}", std::process::id()));
        std::fs::create_dir_all(site.join("pkg")).unwrap();
        std::fs::write(site.join("pkg/converge.abc.js"), "export {}").unwrap();
        let options =
            LeptosOptions::builder().output_name("converge").site_root(site.to_string_lossy().into_owned()).build();
        let response = router(options, &signalling)
            .oneshot(Request::get(path).header("host", "localhost").body(Body::empty()).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn pages_are_rendered_on_the_server() {
        for (path, text) in [("/", "Rooms where browsers talk directly"), ("/r/lobby", "lobby")] {
            let (status, _, body) = get(path).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert!(body.contains(text), "{path}: {body}");
            assert_eq!(body.matches("<main").count(), 1, "{path}");
        }
    }

    #[tokio::test]
    async fn the_form_leads_to_the_room_it_names() {
        for (path, location) in [
            ("/r?topic=a%20b%2Fc", "/r/a%20b%2Fc"),
            ("/r?topic=%C3%BC+1", "/r/%C3%BC%201"),
            ("/r?topic=", "/"),
            ("/r", "/"),
        ] {
            let (status, headers, _) = get(path).await;
            assert_eq!(status, StatusCode::SEE_OTHER, "{path}");
            assert_eq!(headers[header::LOCATION], location, "{path}");
        }
    }

    #[tokio::test]
    async fn hashed_files_are_cached_for_ever_and_missing_ones_are_not() {
        let (status, headers, _) = get("/pkg/converge.abc.js").await;
        assert_eq!(status, StatusCode::OK);
        assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        let (status, headers, _) = get("/pkg/missing.js").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(!headers.contains_key(header::CACHE_CONTROL));
    }

    #[tokio::test]
    async fn what_is_not_there_is_a_page_that_says_so() {
        let (status, _, body) = get("/nowhere").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(body.contains("<main"), "{body}");
    }

    #[tokio::test]
    async fn the_socket_s_address_asks_for_an_upgrade() {
        let (status, ..) = get("/signal").await;
        assert!(status.is_client_error());
        let (status, _, body) = get("/healthz").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "ok"));
    }
}
