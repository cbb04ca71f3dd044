//! Camera, microphone and screen: the buttons that share them, and what everybody shares.

mod controls;
mod devices;
mod newcomers;
mod tile;
mod videos;

pub(super) use self::controls::{Controls, source};
pub(super) use self::newcomers::{Allow, Newcomers, Sees, Waiting};
pub(super) use self::videos::Videos;
