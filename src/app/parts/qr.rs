//! A text as a QR code, for another device's camera.

use leptos::prelude::*;

/// Modules of white on each side: without them many cameras find nothing.
const QUIET: i32 = 4;

/// Dark on white whatever the theme, for cameras. Blank while there is no text, as on the server.
#[component]
pub(crate) fn Qr(
    #[prop(into)] text: Signal<String>,
    /// What it is called; none where the text stands beside it, for those who can't see.
    #[prop(optional)]
    label: Option<&'static str>,
) -> impl IntoView {
    let blank = draw(0, |_, _| false);
    let (view_box, path) = (RwSignal::new(blank.view_box), RwSignal::new(blank.path));
    Effect::new(move |_| {
        let drawing = text.with(|text| code(text));
        view_box.set(drawing.view_box);
        path.set(drawing.path);
    });
    let silent = label.is_none().then_some("true");
    view! {
        <svg class="qr" viewBox=move || view_box.get() role="img" aria-label=label aria-hidden=silent shape-rendering="crispEdges">
            <path d=move || path.get()/>
        </svg>
    }
    .into_any()
}

/// A picture in units of one module.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Drawing {
    view_box: String,
    path: String,
}

/// The code of a text; blank where there is none, or where it is too long for any.
#[cfg(target_family = "wasm")]
fn code(text: &str) -> Drawing {
    use qrcodegen::{QrCode, QrCodeEcc};
    let code = Some(text).filter(|text| !text.is_empty());
    match code.and_then(|text| QrCode::encode_text(text, QrCodeEcc::Medium).ok()) {
        Some(code) => draw(code.size(), |x, y| code.get_module(x, y)),
        None => draw(0, |_, _| false),
    }
}

/// On the server nobody looks.
#[cfg(not(target_family = "wasm"))]
fn code(_text: &str) -> Drawing {
    draw(0, |_, _| false)
}

/// One path of all that is dark, row by row.
fn draw(size: i32, dark: impl Fn(i32, i32) -> bool) -> Drawing {
    let mut path = String::new();
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let run = (x..size).take_while(|&x| dark(x, y)).count();
            if run > 0 {
                path.push_str(&format!("M{x} {y}h{run}v1h-{run}z"));
            }
            x += run as i32 + 1;
        }
    }
    let side = size + 2 * QUIET;
    Drawing { view_box: format!("-{QUIET} -{QUIET} {side} {side}"), path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dark_is_drawn_run_by_run_with_white_around() {
        let rows = ["##.", "...", "#.#"];
        let drawing = draw(3, |x, y| rows[y as usize].as_bytes()[x as usize] == b'#');
        assert_eq!(drawing.path, "M0 0h2v1h-2zM0 2h1v1h-1zM2 2h1v1h-1z");
        assert_eq!(drawing.view_box, "-4 -4 11 11");
    }

    #[test]
    fn nothing_is_blank_and_has_its_place() {
        assert_eq!(draw(0, |_, _| true), Drawing { view_box: "-4 -4 8 8".to_owned(), path: String::new() });
    }
}
