//! HTTP to engine and back: listener, dialects, manners.
