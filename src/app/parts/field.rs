//! Attributes that all fields share.

use leptos::tachys::html::attribute::Attribute;

/// The attributes by which password managers (1Password, LastPass, Bitwarden, Dashlane, Proton Pass) and writing aids
/// (Grammarly, LanguageTool) leave a field alone. None of these fields is a login, and elements put beside them break the
/// page. Only the server's markup needs the attributes.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn leave_alone() -> impl Attribute {
    use leptos::attr::custom::custom_attribute;
    (
        custom_attribute("data-1p-ignore", "true"),
        custom_attribute("data-lpignore", "true"),
        custom_attribute("data-bwignore", "true"),
        custom_attribute("data-form-type", "other"),
        custom_attribute("data-protonpass-ignore", "true"),
        custom_attribute("data-gramm", "false"),
        custom_attribute("data-enable-grammarly", "false"),
        custom_attribute("data-lt-active", "false"),
    )
}

#[cfg(target_family = "wasm")]
pub(crate) fn leave_alone() -> impl Attribute {}
