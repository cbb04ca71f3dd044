//! Small parts that several pages use.

mod avatar;
mod brand;
mod list;

pub(crate) use avatar::Avatar;
pub(crate) use brand::{Brand, Mark};
pub(crate) use list::list;
