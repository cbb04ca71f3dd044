//! How many are here: the page and the meeting place are one process, so it is known.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;
use serde::{Deserialize, Serialize};

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
        let Self { rooms, people } = self;
        let people = match people {
            0 => return "Nobody is here yet: be the first.".to_owned(),
            1 => "1 person is".to_owned(),
            people => format!("{people} people are"),
        };
        let rooms = if rooms == 1 { "1 room".to_owned() } else { format!("{rooms} rooms") };
        format!("{people} here now, in {rooms}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        let words = |rooms, people| Numbers { rooms, people }.words();
        assert_eq!(words(0, 0), "Nobody is here yet: be the first.");
        assert_eq!(words(1, 1), "1 person is here now, in 1 room.");
        assert_eq!(words(2, 7), "7 people are here now, in 2 rooms.");
    }
}
