//! The report, for those who are to help.

use converge_p2p::RoomReport;
use leptos::html::Textarea;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::parts::live;
use crate::platform;
use crate::room::Copying;
use crate::words::connection as words;

/// Copies the whole report, or shows it where that is not allowed.
#[component]
pub(super) fn CopyReport(report: Signal<Option<RoomReport>>) -> impl IntoView {
    let copying = RwSignal::new(Copying::NotYet);
    let field = NodeRef::<Textarea>::new();
    let copy = move |_| {
        let json = report.with_untracked(|report| report.as_ref().map(serde_json::to_string_pretty));
        let Some(Ok(json)) = json else { return };
        spawn_local(async move {
            let copied = platform::copy(json.clone()).await;
            copying.try_set(if copied { Copying::Copied } else { Copying::Shown(json) });
        });
    };
    let said = Signal::derive(move || {
        let said = match copying.get() {
            Copying::NotYet => "",
            Copying::Copied => words::COPIED,
            Copying::Shown(_) => words::CANNOT_COPY,
        };
        said.to_owned()
    });
    let text = Signal::derive(move || match copying.get() {
        Copying::Shown(text) => text,
        _ => String::new(),
    });
    let hidden = Signal::derive(move || text.with(String::is_empty));
    let select = move |_| {
        if let Some(field) = field.get_untracked() {
            field.select();
        }
    };
    view! {
        <div class="doctor-copy">
            <p class="doctor-note">{words::REPORT_HAS}</p>
            <button class="button" type="button" on:click=copy>
                {words::COPY_REPORT}
            </button>
            <p role="status" use:live=said></p>
            <textarea
                class="field doctor-report"
                aria-label=words::REPORT
                rows="8"
                readonly
                hidden=hidden
                prop:value=text
                node_ref=field
                on:focus=select
            ></textarea>
        </div>
    }
    .into_any()
}
