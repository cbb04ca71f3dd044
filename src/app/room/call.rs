//! Camera, microphone and screen: the buttons that share them, and what everybody shares.

mod controls;
mod devices;
mod tile;
mod videos;

pub(super) use self::controls::Controls;
pub(super) use self::videos::Videos;
