//! Sealing keys, secrets, password hashes and random ids: the only crate that names a cryptographic library.
