//! Light or dark: as the device has it, or as this person wants it.

use leptos::prelude::*;

use super::{Icon, icon, spoken};
use crate::{platform, words};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Theme {
    #[default]
    Device,
    Light,
    Dark,
}

impl Theme {
    /// What the styles and the storage call it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Device => "",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn from_stored(text: &str) -> Self {
        [Self::Light, Self::Dark].into_iter().find(|theme| theme.as_str() == text).unwrap_or_default()
    }

    fn next(self) -> Self {
        match self {
            Self::Device => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::Device,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Device => words::page::THEME_DEVICE,
            Self::Light => words::page::THEME_LIGHT,
            Self::Dark => words::page::THEME_DARK,
        }
    }
}

/// Changes from one to the next, and remembers it.
#[component]
pub(crate) fn ThemeButton() -> impl IntoView {
    let theme = RwSignal::new(Theme::default());
    let asleep = RwSignal::new(true);
    Effect::new(move |_| asleep.set(false));
    Effect::new(move |_| theme.set(Theme::from_stored(&platform::remembered_theme().unwrap_or_default())));
    let change = move |_| {
        let next = theme.get_untracked().next();
        theme.set(next);
        platform::remember_theme(next.as_str());
        platform::show_theme(next.as_str());
    };
    let path = Signal::derive(move || match theme.get() {
        Theme::Device => icon::HALF,
        Theme::Light => icon::SUN,
        Theme::Dark => icon::MOON,
    });
    let title = Signal::derive(move || theme.get().words());
    let said = Signal::derive(move || if theme.get() == Theme::Device { "" } else { theme.get().words() }.to_owned());
    view! {
        <button
            class="button quiet icon-button"
            type="button"
            aria-label=words::page::THEME
            title=title
            disabled=asleep
            on:click=change
        >
            {move || view! { <Icon path=path.get()/> }}
        </button>
        {spoken(said)}
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_presses_lead_back_and_what_is_stored_is_found_again() {
        let mut theme = Theme::Device;
        for _ in 0..3 {
            assert_eq!(Theme::from_stored(theme.as_str()), theme);
            theme = theme.next();
        }
        assert_eq!(theme, Theme::Device);
        assert_eq!(Theme::from_stored("sepia"), Theme::Device);
    }
}
