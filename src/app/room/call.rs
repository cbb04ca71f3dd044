//! Camera, microphone and screen: the buttons that share them, and what everybody shares.

mod controls;
mod devices;
mod tile;
mod videos;

pub(super) use self::controls::{Controls, source};
pub(super) use self::videos::Videos;
