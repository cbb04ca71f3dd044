//! Peer-to-peer rooms for the browser.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
