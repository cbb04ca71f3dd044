//! Which camera and which microphone.

use converge_p2p::StreamKind;
use converge_p2p::hooks::{UseMedia, use_devices};
use leptos::prelude::*;

use crate::parts::{Dialog, Icon, icon};
use crate::platform;
use crate::room::Shared;

/// The button, and the dialog it opens.
#[component]
pub(super) fn Devices() -> impl IntoView {
    let ready = Shared::get().ready;
    let asleep = Signal::derive(move || !ready.get());
    let open = RwSignal::new(false);
    view! {
        <button
            class="button quiet icon-button call-button"
            type="button"
            aria-label="Devices"
            title="Devices"
            aria-haspopup="dialog"
            disabled=asleep
            on:click=move |_| open.set(true)
        >
            <Icon path=icon::SETTINGS/>
        </button>
        <Dialog open title="Devices">
            <Choices/>
        </Dialog>
    }
    .into_any()
}

#[component]
fn Choices() -> impl IntoView {
    let devices = use_devices();
    let named = Signal::derive(move || devices.with(|all| all.iter().any(|device| !device.label.is_empty())));
    let hint = Signal::derive(move || {
        let hint = if !platform::has_devices() {
            "Browsers let a page use cameras and microphones only over https, or on the machine that serves it."
        } else if named.get() {
            "What is on changes at once. The choice is remembered on this device."
        } else {
            "The browser names them once you have allowed this page to use one."
        };
        hint.to_owned()
    });
    let choice = move |kind: StreamKind, id: &'static str, label: &'static str| choice(devices, kind, id, label);
    view! {
        <div class="devices">
            {choice(StreamKind::Camera, "device-camera", "Camera")}
            {choice(StreamKind::Microphone, "device-microphone", "Microphone")}
            <p class="devices-hint">{hint}</p>
        </div>
    }
    .into_any()
}

fn choice(
    devices: Signal<Vec<converge_p2p::Device>>,
    kind: StreamKind,
    id: &'static str,
    label: &'static str,
) -> AnyView {
    let media = expect_context::<UseMedia>();
    let picked = RwSignal::new(platform::remembered_device(kind.as_str()).unwrap_or_default());
    let options = move || {
        let found = devices.get().into_iter().filter(|device| device.kind == kind && !device.id.is_empty());
        let option = |(number, device): (usize, converge_p2p::Device)| {
            let name = if device.label.is_empty() { format!("{label} {}", number + 1) } else { device.label };
            let selected = picked.get_untracked() == device.id;
            view! {
                <option value=device.id selected=selected>
                    {name}
                </option>
            }
        };
        found.enumerate().map(option).collect_view()
    };
    let change = move |device: String| {
        platform::remember_device(kind.as_str(), &device);
        picked.set(device.clone());
        media.replace_device(kind, device);
    };
    view! {
        <label class="device" for=id>
            {label}
        </label>
        <select id=id class="field" on:change:target=move |event| change(event.target().value())>
            <option value="">"As the browser chooses"</option>
            {options}
        </select>
    }
    .into_any()
}
