//! Replies to other members' requests.

use std::sync::Arc;

use converge_signal::PeerId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::room::use_room;

/// Replies to what other members ask on a channel ([`UseChannel::request`](super::UseChannel::request),
/// [`Client::request`](crate::Client::request)), until the owner of this call is cleaned up; a change of room included.
///
/// The handler gets who asks and what, and returns the reply, or in words why there is none. Where the asker does not
/// wait any longer, its future is dropped.
///
/// ```
/// use converge_p2p::hooks::use_responder;
/// use leptos::prelude::*;
///
/// #[component]
/// fn Sums() -> impl IntoView {
///     let asked = RwSignal::new(0);
///     use_responder("sum", move |_peer, numbers: Vec<u32>| {
///         asked.try_update(|asked| *asked += 1);
///         async move {
///             let sum = numbers.into_iter().try_fold(0u32, u32::checked_add);
///             sum.ok_or_else(|| "the sum is too large".to_owned())
///         }
///     });
///     view! { <p>"Asked " {asked} " times"</p> }
/// }
/// # let _ = Sums;
/// ```
///
/// On the server nobody asks.
///
/// # Errors
/// A name that can't name a channel shows in [`Room::error`](super::Room::error).
///
/// # Panics
/// As [`use_room`].
pub fn use_responder<Q, R, F, Fut>(channel: &'static str, handler: F)
where
    Q: DeserializeOwned + 'static,
    R: Serialize + 'static,
    F: Fn(PeerId, Q) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, String>> + 'static,
{
    let room = use_room();
    let handler = Arc::new(handler);
    room.hold(move |client| {
        let handler = handler.clone();
        let serving = client.serve::<Q, R, _, _>(channel, move |peer, asked| handler(peer, asked));
        serving.map_err(|error| room.report(&error)).ok()
    });
}
