//! The protocol engine and its features, one folder per specification.
