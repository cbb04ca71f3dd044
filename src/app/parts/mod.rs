//! Small parts that several pages use.

mod avatar;
mod brand;
mod dialog;
pub(crate) mod icon;
mod list;

pub(crate) use avatar::Avatar;
pub(crate) use brand::{Brand, Mark};
pub(crate) use dialog::Dialog;
pub(crate) use icon::Icon;
pub(crate) use list::list;
