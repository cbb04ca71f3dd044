//! Small parts that several pages use.

mod avatar;
mod brand;

pub(crate) use avatar::Avatar;
pub(crate) use brand::{Brand, Mark};
