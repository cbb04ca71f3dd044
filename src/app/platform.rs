//! What the pages need of the browser besides the room. On the server each of these does nothing, or the least that
//! makes sense.

pub(crate) use imp::{
    beep, can_share, copy, files_with, focus, go_to, has_devices, invite_link, is_typing, now, page_is_hidden,
    place_in, random_bytes, remember_device, remember_name, remember_shortcuts, remember_sounds, remember_token,
    remembered_device, remembered_name, remembered_shortcuts, remembered_sounds, remembered_theme, remembered_token,
    set_theme, set_title_count, share, take_files,
};

/// 64 bits, unpredictable enough for names. Called where pages are rendered, on the server.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // Keyed from the system's source of randomness, anew each time.
    RandomState::new().hash_one(0)
}

/// A time, in the ways in which pages show it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Hours and minutes.
    pub(crate) clock: String,
    /// For programs.
    pub(crate) iso: String,
    /// As people here write it, whole.
    pub(crate) exact: String,
    /// Since 1970.
    pub(crate) millis: u64,
}

#[cfg(target_family = "wasm")]
mod imp {
    use super::Moment;
    use converge_p2p::LocalFile;
    use js_sys::{Date, Function, Object, Promise, Reflect};
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{AudioContext, Element, HtmlInputElement, HtmlTextAreaElement, Storage, window};

    const NAME: &str = "converge:name";
    const DEVICE: &str = "converge:device:";
    const SHORTCUTS: &str = "converge:shortcuts";
    const SOUNDS: &str = "converge:sounds";
    const THEME: &str = "converge:theme";
    const TOKEN: &str = "converge:token:";

    /// Loads another page of this site.
    pub(crate) fn go_to(path: &str) {
        if let Some(window) = window() {
            // Refused only for what is no address.
            let _ = window.location().set_href(path);
        }
    }

    /// The address to send to others: this page's, without anything a person added.
    pub(crate) fn invite_link() -> Option<String> {
        let location = window()?.location();
        Some(format!("{}{}", location.origin().ok()?, location.pathname().ok()?))
    }

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

    /// Puts a number before the document's title, or takes it away.
    pub(crate) fn set_title_count(count: u32) {
        let Some(document) = window().and_then(|window| window.document()) else { return };
        let title = document.title();
        let bare = match title.strip_prefix('(').and_then(|rest| rest.split_once(") ")) {
            Some((digits, bare)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => bare,
            _ => &title,
        };
        let new = if count > 0 { format!("({count}) {bare}") } else { bare.to_owned() };
        if new != title {
            document.set_title(&new);
        }
    }

    /// The files that are pasted or dropped with an event.
    pub(crate) fn files_with(event: &web_sys::Event) -> Vec<LocalFile> {
        let get = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).ok().filter(JsValue::is_object);
        let data = get(event, "clipboardData").or_else(|| get(event, "dataTransfer"));
        let files = data.and_then(|data| get(&data, "files")).map(JsCast::unchecked_into::<web_sys::FileList>);
        let files = files.map(|files| (0..files.length()).filter_map(|n| files.get(n)).collect::<Vec<_>>());
        files.unwrap_or_default().into_iter().map(LocalFile::from).collect()
    }

    /// Bytes that nobody can foretell.
    pub(crate) fn random_bytes() -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        window()?.crypto().ok()?.get_random_values_with_u8_array(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Moves the focus to the element of this id, if there is one and it is shown.
    pub(crate) fn focus(id: &str) {
        let element = window().and_then(|window| window.document()).and_then(|document| document.get_element_by_id(id));
        if let Some(element) = element.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = element.focus();
        }
    }

    /// Whether a key is meant for what has the focus: a field, or something in a dialog.
    pub(crate) fn is_typing(event: &web_sys::Event) -> bool {
        let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let taken = |element: web_sys::Element| {
            element.closest("input, textarea, select, dialog, [contenteditable]").ok().flatten().is_some()
        };
        element.is_some_and(taken)
    }

    fn is_stored(name: &str, value: &str) -> bool {
        storage().and_then(|storage| storage.get_item(name).ok().flatten()).is_some_and(|stored| stored == value)
    }

    fn store(name: &str, value: &str) {
        if let Some(storage) = storage() {
            // Where that is not allowed, it lasts as long as the page.
            let _ = storage.set_item(name, value);
        }
    }

    /// Whether single keys do something; they do until somebody turns that off.
    pub(crate) fn remembered_shortcuts() -> bool {
        !is_stored(SHORTCUTS, "off")
    }

    pub(crate) fn remember_shortcuts(on: bool) {
        store(SHORTCUTS, if on { "on" } else { "off" });
    }

    /// Whether sounds are wanted.
    pub(crate) fn remembered_sounds() -> bool {
        is_stored(SOUNDS, "on")
    }

    pub(crate) fn remember_sounds(on: bool) {
        store(SOUNDS, if on { "on" } else { "off" });
    }

    /// A short, quiet tone of this frequency in hertz. Nothing where the browser lets the page make none yet.
    pub(crate) fn beep(hertz: f32) {
        thread_local! {
            // One for the page: browsers allow a few at a time.
            static CONTEXT: Option<AudioContext> = AudioContext::new().ok();
        }
        let play = |context: &AudioContext| {
            let (oscillator, gain) = (context.create_oscillator()?, context.create_gain()?);
            let now = context.current_time();
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

    /// The theme that this person has chosen.
    pub(crate) fn remembered_theme() -> Option<String> {
        storage()?.get_item(THEME).ok().flatten()
    }

    /// Shows the page in a theme, and keeps it for the next visit; an empty one is the device's.
    pub(crate) fn set_theme(theme: &str) {
        store(THEME, theme);
        if let Some(root) =
            window().and_then(|window| window.document()).and_then(|document| document.document_element())
        {
            // Refused only for what is no name.
            let _ = root.set_attribute("data-theme", theme);
        }
    }

    /// Copies a text; false where the browser doesn't let a page do so.
    pub(crate) async fn copy(text: String) -> bool {
        write_clipboard(&text).await.is_some() || copy_selection(&text).is_some()
    }

    async fn write_clipboard(text: &str) -> Option<()> {
        let navigator = window()?.navigator();
        // Missing where the page came over plain http.
        let clipboard = Reflect::get(&navigator, &"clipboard".into()).ok().filter(JsValue::is_object)?;
        let clipboard: web_sys::Clipboard = clipboard.unchecked_into();
        JsFuture::from(clipboard.write_text(text)).await.ok().map(drop)
    }

    /// The old way, which plain http still has.
    fn copy_selection(text: &str) -> Option<()> {
        let document = window()?.document()?;
        let area: HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
        area.set_value(text);
        let focused = document.active_element();
        // While a modal dialog is open, nothing outside of it can be selected.
        let dialog = document.query_selector("dialog[open]").ok().flatten();
        let parent = dialog.or_else(|| document.body().map(Element::from))?;
        parent.append_child(&area).ok()?;
        area.select();
        let copy: Option<Function> =
            Reflect::get(&document, &"execCommand".into()).ok().and_then(|found| found.dyn_into().ok());
        let copied = copy.and_then(|copy| copy.call1(&document, &"copy".into()).ok()).and_then(|done| done.as_bool());
        area.remove();
        if let Some(focused) = focused.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = focused.focus();
        }
        (copied == Some(true)).then_some(())
    }

    /// The browser's own way to hand a link to another application; only some have it, and only over https.
    fn native_share() -> Option<Function> {
        Reflect::get(&window()?.navigator(), &"share".into()).ok()?.dyn_into().ok()
    }

    /// Whether [`share`] does anything.
    pub(crate) fn can_share() -> bool {
        native_share().is_some()
    }

    /// Offers a link to the device's other applications. Who thinks better of it has seen so: there is nothing to say.
    pub(crate) async fn share(title: &str, link: &str) {
        let data = Object::new();
        let set = |name: &str, value: &str| Reflect::set(&data, &name.into(), &value.into());
        if let (Some(share), Some(window), Ok(_), Ok(_)) =
            (native_share(), window(), set("title", title), set("url", link))
            && let Ok(promise) = share.call1(&window.navigator(), &data)
        {
            let _ = JsFuture::from(Promise::resolve(&promise)).await;
        }
    }

    /// Whether nobody can see the page: it is behind another, or the screen is off.
    pub(crate) fn page_is_hidden() -> bool {
        window().and_then(|window| window.document()).is_some_and(|document| document.hidden())
    }

    /// Where a point of the window is in an element: shares of its width and height, from 0 to 65535. What is outside is
    /// at the edge.
    pub(crate) fn place_in(element: &Element, x: i32, y: i32) -> (u16, u16) {
        let area = element.get_bounding_client_rect();
        let share = |at: i32, from: f64, length: f64| ((f64::from(at) - from) / length * f64::from(u16::MAX)) as u16;
        (share(x, area.left(), area.width()), share(y, area.top(), area.height()))
    }

    /// The files that were chosen in a field, which is empty then: choosing the same one again is a change again.
    pub(crate) fn take_files(field: &HtmlInputElement) -> Vec<LocalFile> {
        let files = field.files().map(|files| (0..files.length()).filter_map(|n| files.get(n)).collect::<Vec<_>>());
        field.set_value("");
        files.unwrap_or_default().into_iter().map(LocalFile::from).collect()
    }

    /// Forbidden where cookies are.
    fn storage() -> Option<Storage> {
        window()?.local_storage().ok().flatten()
    }

    /// This tab's own, which ends with it.
    fn tab_storage() -> Option<Storage> {
        window()?.session_storage().ok().flatten()
    }

    /// The token that was given for a room in this tab.
    pub(crate) fn remembered_token(topic: &str) -> Option<String> {
        tab_storage()?.get_item(&format!("{TOKEN}{topic}")).ok().flatten()
    }

    /// Keeps a token for when the page is loaded anew. Where that is not allowed, it is asked for again.
    pub(crate) fn remember_token(topic: &str, token: &str) {
        if let Some(storage) = tab_storage() {
            let _ = storage.set_item(&format!("{TOKEN}{topic}"), token);
        }
    }

    /// The camera or microphone that was picked on this device.
    pub(crate) fn remembered_device(kind: &str) -> Option<String> {
        storage()?.get_item(&format!("{DEVICE}{kind}")).ok().flatten().filter(|id| !id.is_empty())
    }

    /// Keeps it for the next visit; an empty one is forgotten. Where that is not allowed, it is picked again.
    pub(crate) fn remember_device(kind: &str, id: &str) {
        if let Some(storage) = storage() {
            let _ = storage.set_item(&format!("{DEVICE}{kind}"), id);
        }
    }

    /// Whether the browser lets this page ask for cameras and microphones.
    pub(crate) fn has_devices() -> bool {
        let navigator = window().map(|window| window.navigator());
        navigator.is_some_and(|navigator| Reflect::has(&navigator, &"mediaDevices".into()).unwrap_or(false))
    }

    /// The name this person used last.
    pub(crate) fn remembered_name() -> Option<String> {
        storage()?.get_item(NAME).ok().flatten()
    }

    /// Keeps the name for the next visit. Where that is not allowed, it is asked for again: no harm.
    pub(crate) fn remember_name(name: &str) {
        if let Some(storage) = storage() {
            let _ = storage.set_item(NAME, name);
        }
    }
}

#[cfg(not(target_family = "wasm"))]
mod imp {
    use super::Moment;
    use converge_p2p::LocalFile;
    use leptos::web_sys::{Element, HtmlInputElement};

    pub(crate) fn go_to(_path: &str) {}

    pub(crate) fn invite_link() -> Option<String> {
        None
    }

    pub(crate) fn now() -> Moment {
        Moment::default()
    }

    pub(crate) fn set_title_count(_count: u32) {}

    pub(crate) fn files_with(_event: &leptos::web_sys::Event) -> Vec<LocalFile> {
        Vec::new()
    }

    pub(crate) fn random_bytes() -> Option<[u8; 32]> {
        None
    }

    pub(crate) fn focus(_id: &str) {}

    pub(crate) fn is_typing(_event: &leptos::web_sys::Event) -> bool {
        false
    }

    pub(crate) fn remembered_shortcuts() -> bool {
        true
    }

    pub(crate) fn remember_shortcuts(_on: bool) {}

    pub(crate) fn remembered_sounds() -> bool {
        false
    }

    pub(crate) fn remember_sounds(_on: bool) {}

    pub(crate) fn beep(_hertz: f32) {}

    pub(crate) fn remembered_theme() -> Option<String> {
        None
    }

    pub(crate) fn set_theme(_theme: &str) {}

    pub(crate) async fn copy(_text: String) -> bool {
        false
    }

    pub(crate) fn can_share() -> bool {
        false
    }

    pub(crate) async fn share(_title: &str, _link: &str) {}

    pub(crate) fn page_is_hidden() -> bool {
        false
    }

    pub(crate) fn place_in(_element: &Element, _x: i32, _y: i32) -> (u16, u16) {
        (0, 0)
    }

    pub(crate) fn take_files(_field: &HtmlInputElement) -> Vec<LocalFile> {
        Vec::new()
    }

    pub(crate) fn remembered_name() -> Option<String> {
        None
    }

    pub(crate) fn remember_name(_name: &str) {}

    pub(crate) fn remembered_token(_topic: &str) -> Option<String> {
        None
    }

    pub(crate) fn remember_token(_topic: &str, _token: &str) {}

    pub(crate) fn remembered_device(_kind: &str) -> Option<String> {
        None
    }

    pub(crate) fn remember_device(_kind: &str, _id: &str) {}

    pub(crate) fn has_devices() -> bool {
        true
    }
}
