//! Rooms in a simulated network.
