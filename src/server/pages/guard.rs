//! Checks that come before any route: budgets, hosts and the length of addresses.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, Version, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Response};
use converge_app::{ERROR_PAGE, LONG_ADDRESS_PAGE, TOO_MANY_PAGE, UNKNOWN_HOST_PAGE};
use converge_signal::server::RequestBudget;
use converge_signal::server::listen::Client;
use tower_http::catch_panic::CatchPanicLayer;

use super::Site;
use crate::server::headers::{self, Way};

/// The longest path and query, in bytes: a room's name has at most 128, percent-encoded as three each.
const LONGEST_ADDRESS: usize = 1024;

/// A page visit makes some ten requests.
const FILES_PER_PAGE: u32 = 10;

/// Adds the headers of every response, the budget of all requests of an address, and error pages: for panics, foreign
/// hosts and too long addresses.
pub(super) fn guarded(routes: Router, site: Site) -> Router {
    let (per_second, burst) = site.pages_per_ip;
    let requests = RequestBudget::new(per_second.saturating_mul(FILES_PER_PAGE), burst.saturating_mul(FILES_PER_PAGE));
    let site = Arc::new((site, requests));
    routes.layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| sorry())).layer(from_fn(
        move |request: Request, next: Next| {
            let site = site.clone();
            async move {
                let (site, requests) = &*site;
                let way = Way::of(request.headers(), site.secure);
                let asked = Asked::of(&request);
                let admitted = requests.admit(asked.client.as_ref()).await;
                let host = host(request.headers(), request.uri());
                let mut response = if admitted.is_none() {
                    asked.too_often()
                } else if host.is_some_and(|host| !site.origins.is_own_host(host)) {
                    page(StatusCode::MISDIRECTED_REQUEST, UNKNOWN_HOST_PAGE)
                } else if request.uri().path_and_query().is_some_and(|path| path.as_str().len() > LONGEST_ADDRESS) {
                    page(StatusCode::URI_TOO_LONG, LONG_ADDRESS_PAGE)
                } else {
                    next.run(request).await
                };
                headers::protect(&mut response, way);
                response
            }
        },
    ))
}

/// Returns the requested host. HTTP/2 has it in the address.
pub(super) fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.or_else(|| uri.authority().map(|authority| authority.as_str()))
}

/// Holds each address to a budget of requests.
pub(super) async fn budgeted(State(budget): State<Arc<RequestBudget>>, request: Request, next: Next) -> Response {
    let asked = Asked::of(&request);
    match budget.admit(asked.client.as_ref()).await {
        Some(_admitted) => next.run(request).await,
        None => asked.too_often(),
    }
}

/// The parts of a request that its budget depends on.
pub(super) struct Asked {
    pub(super) client: Option<Client>,
    version: Version,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Self {
        Self { client: request.extensions().get().copied(), version: request.version() }
    }

    /// Returns the response that refuses the request and, before HTTP/2, closes its connection.
    pub(super) fn too_often(&self) -> Response {
        let mut refused = page(StatusCode::TOO_MANY_REQUESTS, TOO_MANY_PAGE);
        refused.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        // HTTP/2 forbids this header.
        if self.version < Version::HTTP_2 {
            refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        refused
    }
}

/// Returns a static page.
fn page(status: StatusCode, page: &'static str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
}

/// Returns the page for a response that panicked.
pub(super) fn sorry() -> Response {
    page(StatusCode::INTERNAL_SERVER_ERROR, ERROR_PAGE)
}
