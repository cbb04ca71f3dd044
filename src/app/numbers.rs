//! How many are here: the page and the meeting place are one process, so it is known.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

use crate::words;

/// How many rooms are open, and how many people are in them. No more than that is ever told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Rooms with somebody in them.
    pub rooms: u32,
    /// People in all rooms together.
    pub people: u32,
}

/// Where the server gets them from; it provides one as context to everything that it renders.
#[derive(Clone)]
pub struct NumbersSource(pub Arc<dyn Fn() -> Numbers + Send + Sync>);

/// How many are here now.
///
/// # Errors
/// If the server has no [`NumbersSource`], or can't be reached.
#[server(endpoint = "numbers", input = GetUrl)]
pub async fn here_now() -> Result<Numbers, ServerFnError> {
    let NumbersSource(source) =
        use_context().ok_or_else(|| ServerFnError::new("this server doesn't say how many are here"))?;
    Ok(source())
}

impl Numbers {
    /// In words.
    pub(crate) fn words(self) -> String {
        words::landing::here(self.people, self.rooms)
    }
}
