//! The routes: pages, files, and signalling.

mod guard;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::handler::HandlerWithoutStateExt;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use converge_app::{App, Numbers, NumbersSource, shell};
use converge_signal::server::{Origins, RequestBudget, Signalling};
use leptos::config::{Env, LeptosOptions};
use leptos::nonce::use_nonce;
use leptos::prelude::{provide_context, use_context};
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list};
use tower_http::compression::CompressionLayer;
use tower_http::services::{ServeDir, ServeFile};

use self::guard::{Asked, budgeted, guarded, host, sorry};
use super::headers;

/// The bytes that are read of a file at a time. Each response in progress holds up to three chunks: one that is read, one
/// that was read, and one that waits for its reader.
const FILE_CHUNK: usize = 8 * 1024;

/// How long the numbers of rooms and people are cached. Fresh ones would show a stranger the moment at which a member
/// joins or leaves.
const NUMBERS_FOR: Duration = Duration::from_secs(10);

/// The settings of the routes.
pub(super) struct Site {
    /// Pages are served over TLS.
    pub(super) secure: bool,
    /// The hosts whose requests the server answers.
    pub(super) origins: Origins,
    /// The budget of pages of one address: each second in the long run, and at once.
    pub(super) pages_per_ip: (u32, u32),
}

/// Everything there is to serve.
pub(super) fn router(options: LeptosOptions, signalling: &Signalling, site: Site) -> Router {
    let root = Path::new(&*options.site_root);
    let (per_second, burst) = site.pages_per_ip;
    // Half of the processors, which leaves the others to signalling and files.
    let at_a_time = std::thread::available_parallelism().map_or(1, NonZero::get) / 2;
    let rendered = Arc::new(RequestBudget::new(per_second, burst).at_a_time(at_a_time));
    let context = page_context(&options, signalling);
    // Files under pkg/ carry a hash of their content in their names, and are compressed when they are built.
    let pkg = ServeDir::new(root.join(&*options.site_pkg_dir)).precompressed_br().precompressed_gzip();
    let pkg = pkg.with_buf_chunk_size(FILE_CHUNK);
    let pkg = Router::new().fallback_service(pkg).layer(map_response(|response| cache(response, FOR_EVER)));
    let not_found = leptos_axum::file_and_error_handler_with_context::<LeptosOptions, _>(context.clone(), shell);
    let not_found = {
        let (options, rendered) = (options.clone(), rendered.clone());
        move |request: Request| {
            let (options, rendered) = (options.clone(), rendered.clone());
            async move {
                let asked = Asked::of(&request);
                let Some(_admitted) = rendered.admit(asked.client.as_ref()).await else { return asked.too_often() };
                not_found(request.uri().clone(), State(options), request).await.into_response()
            }
        }
    };
    let files = ServeDir::new(root)
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip()
        .with_buf_chunk_size(FILE_CHUNK)
        .fallback(not_found.into_service());
    let files = Router::new().fallback_service(files).layer(map_response(|response| cache(response, FOR_AN_HOUR)));
    let pages = Router::new()
        .leptos_routes_with_context(&options, generate_route_list(App), context, {
            let options = options.clone();
            move || shell(options.clone())
        })
        .with_state(options.clone())
        .layer(map_response(shaped))
        .layer(CompressionLayer::new())
        .layer(map_response(collected))
        .layer(from_fn_with_state(rendered, budgeted));
    let worker =
        Router::new().route_service("/sw.js", ServeFile::new(root.join("sw.js"))).layer(map_response(service_worker));
    let routes = Router::new()
        .merge(worker)
        .nest(&format!("/{}", options.site_pkg_dir), pkg)
        .route("/healthz", get(|| async { "ok" }))
        .route("/r", get(open_room))
        .merge(signalling.router())
        // Files are compressed when they are built, and never here: anybody may ask for large ones.
        .merge(pages.fallback_service(files));
    guarded(routes.layer(from_fn(one_address)), site)
}

/// What pages find in their context, and the headers that each gets of its own.
fn page_context(options: &LeptosOptions, signalling: &Signalling) -> impl Fn() + Clone + Send + Sync + 'static {
    let reload_port = matches!(options.env, Env::DEV).then_some(options.reload_port);
    let signalling = signalling.clone();
    let latest: Mutex<Option<(Instant, Numbers)>> = Mutex::default();
    let numbers = NumbersSource(Arc::new(move || {
        let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, numbers)) = *latest
            && at.elapsed() < NUMBERS_FOR
        {
            return numbers;
        }
        let counts = signalling.counts();
        let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let numbers = Numbers { rooms: number(counts.topics), people: number(counts.members) };
        *latest = Some((Instant::now(), numbers));
        numbers
    }));
    move || {
        provide_context(numbers.clone());
        let (Some(nonce), Some(response), Some(request)) =
            (use_nonce(), use_context::<ResponseOptions>(), use_context::<Parts>())
        else {
            return;
        };
        let host = host(&request.headers, &request.uri);
        if let Some(policy) = headers::policy(&nonce, host, reload_port) {
            response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
        // A page has a nonce of its own each time.
        response.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
}

/// Where the landing page's forms lead without JavaScript, or before the page has come to life: on to the room that they
/// name, or back to the page, which says what is wrong with that.
async fn open_room(Query(query): Query<HashMap<String, String>>) -> Redirect {
    let topic = query.get("topic").map(String::as_str).unwrap_or_default();
    match converge_app::checked_topic(topic) {
        Ok(topic) => Redirect::to(&converge_app::room_path(&topic)),
        Err(_) if topic.is_empty() => Redirect::to("/"),
        Err(_) => Redirect::to(&converge_app::refused_path(topic)),
    }
}

/// Leads on to the one address of a room, or back with what is wrong with its name.
async fn one_address(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match converge_app::redirected(request.uri().path()).filter(|_| reads) {
        Some(to) => {
            let query = request.uri().query().filter(|_| !to.contains('?'));
            Redirect::permanent(&query.map_or(to.clone(), |query| format!("{to}?{query}"))).into_response()
        }
        None => next.run(request).await,
    }
}

/// Tells a page the shapes of its islands, by which it notices that something else has changed them.
async fn shaped(response: Response) -> Response {
    let is_page =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !is_page {
        return response;
    }
    let (parts, body) = response.into_parts();
    // Pages are some kilobytes, made on this server.
    match to_bytes(body, usize::MAX).await {
        Ok(page) => Response::from_parts(parts, Body::from(converge_app::with_shapes(&String::from_utf8_lossy(&page)))),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            sorry()
        }
    }
}

/// Collects a compressed page within its turn: an encoder takes a megabyte, for as long as a client reads slowly.
async fn collected(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(page) => Response::from_parts(parts, Body::from(page)),
        Err(error) => {
            tracing::error!(%error, "a page could not be compressed");
            sorry()
        }
    }
}

/// The worker may fetch from this site, and is asked for anew each time.
async fn service_worker(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let policy = "default-src 'none'; script-src 'self'; connect-src 'self'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const FOR_AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// Says how long what was found may be kept; what was not found may be there the next time.
async fn cache(mut response: Response, how_long: HeaderValue) -> Response {
    if response.status().is_success() {
        response.headers_mut().insert(header::CACHE_CONTROL, how_long);
    }
    response
}

/// Leptos' options. cargo-leptos gives them by its environment; a server started by hand finds its files itself.
pub(super) fn options(addr: SocketAddr) -> LeptosOptions {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::OnceLock;

    use axum::http::{Request, StatusCode};
    use converge_signal::server::listen;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpSocket;
    use tower::ServiceExt;

    use super::*;

    /// The routes without TLS and with it. Made once, as a server does: Leptos finds its routes by rendering pages in a
    /// way of its own, and what is rendered for somebody at the same time may wait for ever.
    fn server() -> &'static [Router; 2] {
        static SERVER: OnceLock<[Router; 2]> = OnceLock::new();
        SERVER.get_or_init(|| {
            let site = std::env::temp_dir().join(format!("converge-site-{}", std::process::id()));
            std::fs::create_dir_all(site.join("pkg")).unwrap();
            std::fs::write(site.join("pkg/converge.abc.js"), "export {}").unwrap();
            std::fs::write(site.join("sw.js"), "// nothing").unwrap();
            std::fs::write(site.join("pkg/converge.abc.js.gz"), "pressed".repeat(1000)).unwrap();
            std::fs::write(site.join("robots.txt"), "User-agent: *".repeat(1000)).unwrap();
            let options = LeptosOptions::builder()
                .output_name("converge")
                .site_root(site.to_string_lossy().into_owned())
                .env(Env::PROD)
                .build();
            let signalling = Signalling::new(converge_signal::server::Settings::default()).unwrap();
            [false, true].map(|secure| router(options.clone(), &signalling, allowing(secure)))
        })
    }

    fn allowing(secure: bool) -> Site {
        let origins = Origins::same().hosts(["meet.example"]).unwrap();
        Site { secure, origins, pages_per_ip: (10, 100) }
    }

    async fn get(path: &str) -> (StatusCode, axum::http::HeaderMap, String) {
        get_with(path, &[], false).await
    }

    async fn get_with(
        path: &str,
        headers: &[(&str, &str)],
        secure: bool,
    ) -> (StatusCode, axum::http::HeaderMap, String) {
        let app = if secure { &server()[1] } else { &server()[0] };
        let mut request = Request::get(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn an_answer_that_panics_is_a_page_that_says_so() {
        async fn broken() -> &'static str {
            panic!("on purpose")
        }
        let app = guarded(Router::new().route("/broken", axum::routing::get(broken)), allowing(false));
        let request = Request::get("/broken").header("host", "localhost").body(Body::empty()).unwrap();
        let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
        assert_eq!(parts.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(text(&parts.headers, "referrer-policy"), "no-referrer");
        let body = to_bytes(body, 1 << 20).await.unwrap();
        assert!(String::from_utf8_lossy(&body).contains("Something went wrong"));
    }

    #[tokio::test]
    async fn the_worker_may_fetch_and_is_never_old() {
        let (status, headers, _) = get("/sw.js").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(text(&headers, "cache-control"), "no-cache");
        assert!(text(&headers, "content-security-policy").contains("connect-src 'self'"));
        assert!(text(&headers, "content-type").contains("javascript"));
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
            ("/r?topic=%20", "/?topic=%20"),
            ("/r?topic=https%3A%2F%2Fa.example%2F%22", "/?topic=https%3A%2F%2Fa.example%2F%22"),
            ("/r", "/"),
        ] {
            let (status, headers, _) = get(path).await;
            assert_eq!(status, StatusCode::SEE_OTHER, "{path}");
            assert_eq!(headers[header::LOCATION], location, "{path}");
        }
    }

    #[tokio::test]
    async fn a_room_has_one_address() {
        for (path, location) in [
            ("/r/lobby/", "/r/lobby"),
            ("/r/lobby%20", "/r/lobby"),
            ("/r/a%0Ab", "/r/ab"),
            ("/r/x/?y=1", "/r/x?y=1"),
            ("/r/%2e%2e", "/?topic=.."),
            ("/r/%ff", "/?topic=%EF%BF%BD"),
        ] {
            let (status, headers, _) = get(path).await;
            assert_eq!(status, StatusCode::PERMANENT_REDIRECT, "{path}");
            assert_eq!(headers[header::LOCATION], location, "{path}");
        }
        let (status, _, body) = get("/r/%252e%252e").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains(">%2e%2e<"), "it is decoded once: {body}");
        let (_, _, body) = get("/?topic=..").await;
        assert!(body.contains("browsers take it for a folder"), "{body}");
    }

    #[tokio::test]
    async fn a_too_long_address_is_refused_before_it_is_rendered() {
        for path in [format!("/r/{}", "x".repeat(30_000)), format!("/?topic={}", "x".repeat(1100))] {
            let (status, headers, body) = get(&path).await;
            assert_eq!(status, StatusCode::URI_TOO_LONG, "{}", &path[..20]);
            assert!(body.len() < 500 && body.contains("too long"), "{body}");
            assert_eq!(text(&headers, "cache-control"), "no-store");
        }
        // The longest name, with each byte percent-encoded.
        let name = "ü".repeat(64);
        assert_eq!(get(&converge_app::room_path(&name)).await.0, StatusCode::OK);
        let (status, headers, _) = get(&format!("/r/{}", "x".repeat(129))).await;
        assert_eq!(status, StatusCode::PERMANENT_REDIRECT);
        assert!(headers[header::LOCATION].to_str().unwrap().starts_with("/?topic=xxx"));
    }

    #[tokio::test]
    async fn an_unknown_host_is_refused() {
        for (host, expected) in [
            ("evil.example", StatusCode::MISDIRECTED_REQUEST),
            ("meet.example", StatusCode::OK),
            ("192.168.1.5:3000", StatusCode::OK),
        ] {
            let request = Request::get("/").header("host", host).body(Body::empty()).unwrap();
            let (parts, body) = server()[0].clone().oneshot(request).await.unwrap().into_parts();
            assert_eq!(parts.status, expected, "{host}");
            let body = to_bytes(body, 1 << 20).await.unwrap();
            assert!(!String::from_utf8_lossy(&body).contains("evil"), "the page does not repeat the host");
        }
    }

    /// Serves the routes behind a listener, which adds the client's address to requests.
    async fn served(pages_per_ip: (u32, u32)) -> SocketAddr {
        let signalling = Signalling::new(converge_signal::server::Settings::default()).unwrap();
        let options = LeptosOptions::builder().output_name("converge").site_root("/nowhere").env(Env::PROD).build();
        let app = router(options, &signalling, Site { pages_per_ip, ..allowing(false) });
        let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(listen::serve(listener, app, listen::Listen::default(), std::future::pending()));
        addr
    }

    /// Sends a request from one of the machine's own addresses. Returns the first line of the response.
    async fn asked(addr: SocketAddr, source: &str, path: &str) -> String {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((source.parse::<std::net::Ipv4Addr>().unwrap(), 0).into()).unwrap();
        let mut stream = socket.connect(addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.unwrap();
        String::from_utf8_lossy(&response).lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn each_address_has_a_page_budget_of_its_own() {
        // Leptos' routes are made once, as in `server`.
        server();
        let addr = served((1, 2)).await;
        // They take a second or two, each of which refills one page.
        let pages: Vec<_> = (0..15).map(|_| tokio::spawn(asked(addr, "127.0.0.2", "/nowhere"))).collect();
        let mut refused = 0;
        for page in pages {
            refused += usize::from(page.await.unwrap() == "HTTP/1.1 429 Too Many Requests");
        }
        assert!(refused > 0, "all were answered");
        // Cheap requests have a larger budget.
        assert_eq!(asked(addr, "127.0.0.2", "/healthz").await, "HTTP/1.1 200 OK");
        assert_eq!(asked(addr, "127.0.0.3", "/nowhere").await, "HTTP/1.1 404 Not Found");
    }

    #[tokio::test]
    async fn a_room_fetches_its_program_at_once_and_the_start_page_does_not() {
        let (_, _, room) = get("/r/lobby").await;
        let (_, _, start) = get("/").await;
        for (link, wanted) in [("rel=\"modulepreload\"", true), ("rel=\"preload\"", true)] {
            assert_eq!((room.contains(link), start.contains(link)), (wanted, false), "{link}");
        }
        assert!(room.contains(", true)") && start.contains(", false)"), "who waits for the first paint");
    }

    #[tokio::test]
    async fn islands_know_their_shape() {
        for path in ["/", "/r/lobby"] {
            let (_, _, body) = get(path).await;
            let islands = body.matches("<leptos-island").count();
            assert!(islands > 0 && body.matches(" data-shape=\"").count() == islands, "{path}: {body}");
        }
    }

    #[tokio::test]
    async fn a_name_that_makes_no_room_is_given_back_with_what_is_wrong() {
        let (status, _, body) = get("/?topic=%20").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("Give the room a name."));
        let (_, _, body) = get("/?topic=https%3A%2F%2Fa.example%2F%22%3E%3Cscript%3E").await;
        assert!(body.contains("This link leads to no room") && !body.contains("\"><script>"), "{body}");
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

    fn text<'a>(headers: &'a axum::http::HeaderMap, name: &str) -> &'a str {
        headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn files_are_asked_for_again_and_in_parts() {
        for path in ["/robots.txt", "/pkg/converge.abc.js"] {
            let (status, headers, body) = get(path).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert!(text(&headers, "cache-control").contains("max-age"), "{path}");
            let since = text(&headers, "last-modified");
            let (status, headers, nothing) = get_with(path, &[("if-modified-since", since)], false).await;
            assert_eq!((status, nothing.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path}");
            assert_eq!(text(&headers, "x-content-type-options"), "nosniff");
            let (status, headers, part) = get_with(path, &[("range", "bytes=2-5")], false).await;
            assert_eq!((status, part.as_str()), (StatusCode::PARTIAL_CONTENT, &body[2..6]), "{path}");
            assert!(text(&headers, "content-range").starts_with("bytes 2-5/"), "{path}");
        }
        let (status, ..) = get("/pkg/../../etc/passwd").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn every_answer_is_protected_and_pages_have_a_nonce_of_their_own() {
        let mut nonces = Vec::new();
        for path in ["/", "/r/lobby", "/nowhere", "/"] {
            let (_, headers, body) = get(path).await;
            let policy = text(&headers, "content-security-policy");
            let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or_default();
            assert!(nonce.len() >= 16, "{path}: {policy}");
            assert!(body.contains(&format!("nonce=\"{nonce}\"")), "{path}");
            assert_eq!(body.matches("<script").count(), body.matches(&format!("nonce=\"{nonce}\">")).count(), "{path}");
            for (directive, found) in
                [("'wasm-unsafe-eval'", true), ("'unsafe-inline'", false), ("'unsafe-eval'", false)]
            {
                assert_eq!(policy.contains(directive), found, "{path}: {policy}");
            }
            assert!(
                policy.contains("frame-ancestors 'none'")
                    && policy.contains("wss://localhost")
                    && policy.contains("require-trusted-types-for 'script'"),
                "{path}: {policy}"
            );
            assert_eq!(text(&headers, "cache-control"), "no-cache", "{path}");
            nonces.push(nonce.to_owned());
        }
        assert_ne!(nonces[0], nonces[3], "one for each answer");
        for path in
            ["/", "/nowhere", "/healthz", "/robots.txt", "/pkg/converge.abc.js", "/.well-known/converge", "/signal"]
        {
            let (_, headers, _) = get(path).await;
            assert_eq!(text(&headers, "referrer-policy"), "no-referrer", "{path}");
            assert_eq!(text(&headers, "x-content-type-options"), "nosniff", "{path}");
            assert_eq!(text(&headers, "cross-origin-resource-policy"), "same-origin", "{path}");
            assert_eq!(text(&headers, "cross-origin-opener-policy"), "same-origin", "{path}");
            assert!(text(&headers, "permissions-policy").contains("camera=(self)"), "{path}");
            assert!(text(&headers, "content-security-policy").contains("default-src 'none'"), "{path}");
            assert!(!headers.contains_key("server") && !headers.contains_key("strict-transport-security"), "{path}");
        }
        let (_, headers, _) = get_with("/", &[], true).await;
        assert!(text(&headers, "strict-transport-security").contains("max-age="));
    }

    #[tokio::test]
    async fn pages_are_compressed_for_who_can_read_it() {
        for coding in ["br", "gzip"] {
            let (_, headers, _) = get_with("/", &[("accept-encoding", coding)], false).await;
            assert_eq!(text(&headers, "content-encoding"), coding);
        }
    }

    #[tokio::test]
    async fn files_are_not_compressed_again() {
        // The second is the compressed form of a file, by another spelling of its folder.
        for path in ["/robots.txt", "/%70kg/converge.abc.js.gz"] {
            let (status, headers, _) = get_with(path, &[("accept-encoding", "br, gzip")], false).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert_eq!(headers.get("content-encoding"), None, "{path}");
        }
    }

    #[tokio::test]
    async fn the_landing_page_says_how_many_are_here() {
        let (_, _, body) = get("/").await;
        assert!(body.contains("Nobody is here yet"), "{body}");
        let (status, headers, body) = get("/api/numbers").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, r#"{"rooms":0,"people":0}"#));
        assert_eq!(text(&headers, "referrer-policy"), "no-referrer");
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
