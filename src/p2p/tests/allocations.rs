//! What a message costs in allocations.
