//! The messages and the field to write them in.

mod composer;
mod log;

use converge_p2p::Event;
use converge_p2p::PeerId;
use converge_p2p::hooks::{use_channel, use_presence, use_room};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use self::composer::Composer;
use self::log::Log;
use super::Profile;
use crate::platform;

/// What travels: text now, more kinds later. JSON, so that a page written in any language can take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    text: String,
}

/// A message as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    number: u64,
    from: PeerId,
    /// The name at that time: people rename themselves and go.
    name: String,
    text: String,
    direct: Direct,
    mine: bool,
    time: String,
}

/// To whom a message was.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Direct {
    No,
    ToMe,
    To(String),
}

/// Older lines are let go.
const MAX_LINES: usize = 500;

/// The lines of the chat. Small and `Copy`.
#[derive(Clone, Copy)]
struct Lines {
    lines: RwSignal<Vec<Line>>,
    count: StoredValue<u64>,
}

impl Lines {
    fn push(self, from: PeerId, name: String, text: String, direct: Direct, mine: bool) {
        let number = self.count.get_value();
        self.count.set_value(number + 1);
        self.lines.update(|lines| {
            if lines.len() >= MAX_LINES {
                lines.remove(0);
            }
            lines.push(Line { number, from, name, text, direct, mine, time: platform::now() });
        });
    }
}

#[component]
pub(super) fn Chat() -> impl IntoView {
    let room = use_room();
    let profiles = use_presence::<Profile>();
    let channel = use_channel::<Said>("chat");
    let lines = Lines { lines: RwSignal::new(Vec::new()), count: StoredValue::new(0) };
    let problem = RwSignal::new(None::<String>);

    channel.on_message(move |message| {
        let profile = profiles.peek(message.from);
        let direct = if message.direct { Direct::ToMe } else { Direct::No };
        let name = Profile::name(profile.as_ref(), message.from);
        lines.push(message.from, name, message.value.text, direct, false);
    });
    room.on_event(move |event| {
        if let Event::Undelivered { messages, .. } = event {
            problem.set(Some(format!("{messages} message(s) could not be delivered: the person has left.")));
        }
    });
    Effect::new(move |_| {
        if let Some(error) = channel.error().get() {
            problem.set(Some(format!("{error}")));
        }
    });
    let topic = room.topic();
    let topic = Memo::new(move |_| topic.get());
    Effect::new(move |before: Option<()>| {
        topic.with(|_| ());
        if before.is_some() {
            lines.lines.update(Vec::clear);
            problem.set(None);
        }
    });

    view! {
        <section class="chat" aria-label="Chat">
            <Log lines=lines.lines/>
            <Composer channel lines problem/>
        </section>
    }
}
