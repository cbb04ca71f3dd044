//! How the links are doing, as signals.

use converge_signal::PeerId;
use leptos::prelude::*;

use super::room::use_room;
use crate::client::Client;
use crate::event::Event;
use crate::report::{LinkReport, RoomReport};

/// How the link to one member is doing: its state and the reason for it, which way packets take, the round-trip time,
/// what was sent and received. None on the server, and while there is no such member.
///
/// ```
/// use converge_p2p::PeerId;
/// use converge_p2p::hooks::use_link;
/// use leptos::prelude::*;
///
/// #[component]
/// fn Quality(peer: PeerId) -> impl IntoView {
///     let link = use_link(peer);
///     let path = move || link.with(|link| link.as_ref()?.path.as_ref().map(|path| path.is_relayed()));
///     let text = move || match path() {
///         Some(true) => "relayed",
///         Some(false) => "direct",
///         None => "",
///     };
///     view! { <span>{text}</span> }
/// }
/// # let _ = Quality;
/// ```
///
/// While the owner of this call lives, every open link is measured every two seconds
/// ([`Client::watch_links`]): use it where somebody looks.
///
/// # Panics
/// As [`use_room`].
pub fn use_link(peer: PeerId) -> Signal<Option<LinkReport>> {
    follow(
        move |event| about(event).is_some_and(|whom| whom.is_none_or(|whom| whom == peer)),
        move |client| client.link(peer),
    )
}

/// How the room and every link in it is doing, for a page that explains what is wrong. None on the server.
///
/// ```
/// use converge_p2p::hooks::use_report;
/// use leptos::prelude::*;
///
/// #[component]
/// fn Doctor() -> impl IntoView {
///     let report = use_report();
///     let words = move || {
///         let report = report.get()?;
///         Some(report.links.iter().map(|link| format!("{}: {:?}\n", link.peer.short(), report.diagnose(link))).collect::<String>())
///     };
///     view! { <pre>{words}</pre> }
/// }
/// # let _ = Doctor;
/// ```
///
/// While the owner of this call lives, every open link is measured every two seconds
/// ([`Client::watch_links`]): use it where somebody looks.
///
/// # Panics
/// As [`use_room`].
pub fn use_report() -> Signal<Option<RoomReport>> {
    follow(|event| about(event).is_some(), |client| Some(client.report()))
}

/// What `read` says: at first, and again after each event that `concerns` it. Links are watched meanwhile.
fn follow<T: Send + Sync + 'static>(
    concerns: impl Fn(&Event) -> bool + Send + Sync + 'static,
    read: impl Fn(&Client) -> Option<T> + 'static,
) -> Signal<Option<T>> {
    let room = use_room();
    let report = RwSignal::new(None);
    // An effect runs once for all that happens in one turn: the measures of many links come together.
    let changed = ArcTrigger::new();
    room.hold(|client| Some(client.watch_links()));
    room.on_event({
        let changed = changed.clone();
        move |event| {
            if concerns(event) {
                changed.notify();
            }
        }
    });
    let id = room.id();
    Effect::new(move |_| {
        changed.track();
        // Another room begins without an id.
        id.track();
        report.try_set(room.client().and_then(|client| read(&client)));
    });
    report.into()
}

/// Whose link the event says something about; `Some(None)` for everybody's.
fn about(event: &Event) -> Option<Option<PeerId>> {
    match event {
        Event::PeerJoined { peer }
        | Event::PeerConnected { peer }
        | Event::PeerDisconnected { peer, .. }
        | Event::PeerUnreachable { peer }
        | Event::PeerLeft { peer, .. }
        | Event::ActivityChanged { peer, .. }
        | Event::LinkChanged { peer }
        | Event::Stalled { peer } => Some(Some(*peer)),
        Event::Connected { .. } | Event::Status(_) => Some(None),
        _ => None,
    }
}
