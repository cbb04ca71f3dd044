//! Small parts that several pages use.

mod avatar;
mod brand;
mod dialog;
mod field;
pub(crate) mod icon;
mod list;
mod live;
mod qr;
pub(crate) mod theme;

pub(crate) use avatar::{Avatar, tint};
pub(crate) use brand::{Brand, Mark};
pub(crate) use dialog::Dialog;
pub(crate) use field::leave_alone;
pub(crate) use icon::Icon;
pub(crate) use list::{Bounded, list};
pub(crate) use live::{live, live_span, spoken};
pub(crate) use qr::Qr;
pub(crate) use theme::ThemeButton;
