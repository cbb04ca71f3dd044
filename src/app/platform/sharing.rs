//! Links and texts that leave the page.

pub(crate) use imp::{can_share, copy, invite_link, share};

#[cfg(target_family = "wasm")]
mod imp {
    use js_sys::{Function, Object, Promise, Reflect};
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{Element, HtmlTextAreaElement, window};

    /// The address to send to others: this page's, without anything a person added.
    pub(crate) fn invite_link() -> Option<String> {
        let location = window()?.location();
        Some(format!("{}{}", location.origin().ok()?, location.pathname().ok()?))
    }

    /// Copies a text; false where the browser doesn't let a page do so.
    pub(crate) async fn copy(text: String) -> bool {
        write_clipboard(&text).await.is_some() || copy_selection(&text).is_some()
    }

    async fn write_clipboard(text: &str) -> Option<()> {
        let navigator = window()?.navigator();
        // Missing where the page came over plain http.
        let clipboard = Reflect::get(&navigator, &"clipboard".into()).ok().filter(JsValue::is_object)?;
        // Extensions that forbid it have it throw.
        let write: Function = Reflect::get(&clipboard, &"writeText".into()).ok()?.dyn_into().ok()?;
        let written = write.call1(&clipboard, &text.into()).ok()?;
        JsFuture::from(Promise::resolve(&written)).await.ok().map(drop)
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
}

#[cfg(not(target_family = "wasm"))]
mod imp {
    pub(crate) fn invite_link() -> Option<String> {
        None
    }

    pub(crate) async fn copy(_text: String) -> bool {
        false
    }

    pub(crate) fn can_share() -> bool {
        false
    }

    pub(crate) async fn share(_title: &str, _link: &str) {}
}
