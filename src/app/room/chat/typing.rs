//! Saying that a message is being written.

use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;

use super::Profile;

/// Who stops typing for this long is thinking.
const TYPING_PAUSE: Duration = Duration::from_secs(4);

/// Whether this person is shown as typing.
#[derive(Clone, Copy)]
pub(super) struct Typing {
    mine: RwSignal<Profile>,
    pause: StoredValue<Option<TimeoutHandle>>,
}

impl Typing {
    pub(super) fn new(mine: RwSignal<Profile>) -> Self {
        let typing = Self { mine, pause: StoredValue::new(None) };
        on_cleanup(move || typing.cancel());
        typing
    }

    pub(super) fn start(self) {
        self.cancel();
        self.show(true);
        self.pause.set_value(set_timeout_with_handle(move || self.show(false), TYPING_PAUSE).ok());
    }

    pub(super) fn stop(self) {
        self.cancel();
        self.show(false);
    }

    fn cancel(self) {
        if let Some(pause) = self.pause.try_update_value(Option::take).flatten() {
            pause.clear();
        }
    }

    fn show(self, typing: bool) {
        if self.mine.try_with_untracked(|mine| mine.typing != typing) == Some(true) {
            self.mine.update(|mine| mine.typing = typing);
        }
    }
}
