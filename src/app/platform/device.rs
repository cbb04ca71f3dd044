//! The device: its clock, its sound, its files and its randomness.

pub(crate) use imp::{beep, has_devices, millis, now, random_bytes, take_files};

#[cfg(target_family = "wasm")]
mod imp {
    use std::cell::Cell;

    use super::super::Moment;
    use converge_p2p::LocalFile;
    use js_sys::{Date, Reflect};
    use wasm_bindgen::JsValue;
    use web_sys::{AudioContext, HtmlInputElement, window};

    /// The time now.
    pub(crate) fn now() -> Moment {
        let now = Date::new_0();
        Moment {
            clock: format!("{:02}:{:02}", now.get_hours(), now.get_minutes()),
            iso: now.to_iso_string().into(),
            exact: now.to_locale_string("default", &JsValue::UNDEFINED).into(),
            // Whole, and positive for a while.
            millis: now.get_time() as u64,
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn millis() -> u64 {
        // Whole, and positive for a while.
        Date::now() as u64
    }

    /// The files that were chosen in a field, which is empty then: choosing the same one again is a change again.
    pub(crate) fn take_files(field: &HtmlInputElement) -> Vec<LocalFile> {
        let files = field.files().map(|files| (0..files.length()).filter_map(|n| files.get(n)).collect::<Vec<_>>());
        field.set_value("");
        files.unwrap_or_default().into_iter().map(LocalFile::from).collect()
    }

    /// Bytes that nobody can foretell.
    pub(crate) fn random_bytes() -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        window()?.crypto().ok()?.get_random_values_with_u8_array(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Whether the browser lets this page ask for cameras and microphones.
    pub(crate) fn has_devices() -> bool {
        let navigator = window().map(|window| window.navigator());
        navigator.is_some_and(|navigator| Reflect::has(&navigator, &"mediaDevices".into()).unwrap_or(false))
    }

    /// Plays a short, quiet tone of this frequency in hertz, unless one began less than 0.3 s ago, or the browser doesn't
    /// let the page make any yet.
    pub(crate) fn beep(hertz: f32) {
        thread_local! {
            // One for the page: browsers allow a few at a time.
            static CONTEXT: Option<AudioContext> = AudioContext::new().ok();
            static NEXT: Cell<f64> = const { Cell::new(0.0) };
        }
        let play = |context: &AudioContext| {
            let now = context.current_time();
            // Tones at the same time add up, and anybody in the room may cause any number.
            if NEXT.get() > now {
                return Ok(());
            }
            NEXT.set(now + 0.3);
            let (oscillator, gain) = (context.create_oscillator()?, context.create_gain()?);
            oscillator.frequency().set_value(hertz);
            // Without a slope it would click.
            gain.gain().set_value_at_time(0.06, now)?;
            gain.gain().exponential_ramp_to_value_at_time(0.0001, now + 0.25)?;
            oscillator.connect_with_audio_node(&gain)?;
            gain.connect_with_audio_node(&context.destination())?;
            oscillator.start()?;
            oscillator.stop_with_when(now + 0.25)
        };
        // What can't be heard is on the screen.
        let _ = CONTEXT.with(|context| context.as_ref().map(play));
    }
}

#[cfg(not(target_family = "wasm"))]
mod imp {
    use super::super::Moment;
    use converge_p2p::LocalFile;
    use leptos::web_sys::HtmlInputElement;

    pub(crate) fn now() -> Moment {
        Moment::default()
    }

    pub(crate) fn millis() -> u64 {
        0
    }

    pub(crate) fn take_files(_field: &HtmlInputElement) -> Vec<LocalFile> {
        Vec::new()
    }

    pub(crate) fn random_bytes() -> Option<[u8; 32]> {
        None
    }

    pub(crate) fn has_devices() -> bool {
        true
    }

    pub(crate) fn beep(_hertz: f32) {}
}
