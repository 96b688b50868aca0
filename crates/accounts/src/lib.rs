//! People: passwords, lock-out and their administration.
