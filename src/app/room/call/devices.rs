//! The dialog that picks a camera and a microphone, and chooses the members that receive them.

use converge_p2p::hooks::{UseMedia, use_devices};
use converge_p2p::{Device, StreamKind};
use leptos::prelude::*;

use super::newcomers::Viewers;
use crate::parts::{Dialog, Icon, icon};
use crate::room::Shared;
use crate::{platform, words};

/// The button, and the dialog it opens.
#[component]
pub(super) fn Devices() -> impl IntoView {
    let ready = Shared::get().ready;
    let asleep = Signal::derive(move || !ready.get());
    let open = RwSignal::new(false);
    view! {
        <button
            id="devices"
            class="button quiet icon-button call-button"
            type="button"
            aria-label=words::call::DEVICES
            title=words::call::DEVICES
            aria-haspopup="dialog"
            disabled=asleep
            on:click=move |_| open.set(true)
        >
            <Icon path=icon::SETTINGS/>
        </button>
        <Dialog open title=words::call::DEVICES>
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
            words::call::DEVICES_INSECURE
        } else if named.get() {
            words::call::DEVICES_CHANGE
        } else {
            words::call::DEVICES_NAMELESS
        };
        hint.to_owned()
    });
    view! {
        <div class="devices">
            {choice(devices, StreamKind::Camera, "device-camera")}
            {choice(devices, StreamKind::Microphone, "device-microphone")}
            <p class="devices-hint">{hint}</p>
            <Viewers/>
        </div>
    }
    .into_any()
}

fn choice(devices: Signal<Vec<Device>>, kind: StreamKind, id: &'static str) -> AnyView {
    let media = expect_context::<UseMedia>();
    let picked = RwSignal::new(platform::remembered_device(kind.as_str()).unwrap_or_default());
    let options = move || {
        let found = devices.get().into_iter().filter(|device| device.kind == kind && !device.id.is_empty());
        let option = |(number, device): (usize, Device)| {
            let name = if device.label.is_empty() { words::call::nameless(kind, number + 1) } else { device.label };
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
            {words::call::button(kind)}
        </label>
        <select id=id class="field" on:change=move |event| platform::value(&event).into_iter().for_each(change)>
            <option value="">{words::call::ANY_DEVICE}</option>
            {options}
        </select>
    }
    .into_any()
}
