//! The suite that every backend runs; it may not ask where it runs.
