//! One stream.

use converge_p2p::hooks::{UseMedia, use_peers, use_player, use_room};
use converge_p2p::{MAX_VIEWERS, PeerId, Stream, StreamId, StreamKind};
use leptos::html::Video;
use leptos::prelude::*;

use crate::parts::{Avatar, Icon, icon, live_span, tint};
use crate::room::name_of;
use crate::words;

/// Which stream a tile is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TileKey {
    owner: PeerId,
    id: StreamId,
    kind: StreamKind,
}

impl TileKey {
    pub(super) fn of(stream: &Stream) -> Self {
        Self { owner: stream.owner, id: stream.id, kind: stream.kind }
    }
}

/// A picture, or who is heard; named after its owner and kind.
#[component]
pub(super) fn Tile(key: TileKey, streams: Signal<Vec<Stream>>) -> impl IntoView {
    let media = expect_context::<UseMedia>();
    let TileKey { owner, id, kind } = key;
    let own = use_room().id().get_untracked() == Some(owner);
    let stream = Memo::new(move |_| streams.with(|all| all.iter().find(|stream| TileKey::of(stream) == key).cloned()));
    let video = NodeRef::<Video>::new();
    // One's own sound would come back.
    Effect::new(move |_| {
        if let Some(video) = video.get().filter(|_| own) {
            video.set_muted(true);
        }
    });
    let blocked = use_player(owner, id, video);
    let (speaking, others) = (media.is_speaking(owner), use_peers());
    let name = name_of(owner);
    let label = Signal::derive(move || words::call::tile(&name.get(), kind, own));
    let class = Signal::derive(move || {
        let speaks = if speaking.get() { " speaking" } else { "" };
        format!("tile {} {}{speaks}", kind.as_str(), tint(owner))
    });
    let state = Signal::derive(move || {
        let text = stream.with(|stream| match stream {
            // Its owner has not approved this person, or the approval is on its way.
            Some(stream) if !stream.live && stream.limited => words::call::NOT_SHARED_YET,
            // The owner's viewers are limited.
            Some(stream) if !stream.live && others.with(Vec::len) > MAX_VIEWERS => words::call::TOO_MANY,
            Some(stream) if !stream.live => words::call::ON_ITS_WAY,
            Some(stream) if stream.silent && kind == StreamKind::Microphone => words::call::NO_SOUND,
            Some(stream) if stream.silent => words::call::NO_PICTURE,
            Some(stream) if stream.paused => words::call::PAUSED,
            _ if blocked.get() => words::call::TOUCH_TO_HEAR,
            _ => "",
        });
        text.to_owned()
    });
    let is_sound = kind == StreamKind::Microphone;
    let mute = (!own && is_sound).then(|| mute(owner, name));
    view! {
        <figure class=class aria-label=label data-owner=owner.to_string() data-kind=kind.as_str()>
            {is_sound.then(|| view! { <Avatar peer=Signal::stored(Some(owner))/> })}
            <video class="tile-video" class:silent=is_sound class:mirrored=own && kind == StreamKind::Camera autoplay playsinline node_ref=video></video>
            <figcaption class="tile-caption">
                {live_span("tile-name", label)}
                {live_span("tile-state", state)}
            </figcaption>
            {mute}
        </figure>
    }
    .into_any()
}

/// Keeps one from being heard here.
fn mute(owner: PeerId, name: Signal<String>) -> AnyView {
    let media = expect_context::<UseMedia>();
    let muted = media.is_muted(owner);
    let label = Signal::derive(move || words::call::mute(&name.get()));
    let pressed = Signal::derive(move || Some(muted.get().to_string()));
    view! {
        <button
            class="button quiet icon-button tile-mute"
            type="button"
            aria-label=label
            aria-pressed=pressed
            title=label
            on:click=move |_| media.mute(owner, !muted.get_untracked())
        >
            <Icon path=icon::SOUND/>
        </button>
    }
    .into_any()
}
