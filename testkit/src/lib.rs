//! Builds, starts and talks to a real obol server in tests.
