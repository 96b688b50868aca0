//! Random bytes from the operating system's generator, through the cryptographic library.

/// `N` fresh random bytes.
///
/// # Panics
/// When the operating system gives no randomness: nothing can be issued safely then.
#[allow(
    clippy::expect_used,
    reason = "without randomness no token may be issued, and no caller could do better"
)]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// The bytes of a fresh token id and a nonce, from one call: each call takes locks of the library.
pub fn random_id_and_nonce() -> ([u8; 16], [u8; 12]) {
    let bytes: [u8; 28] = random_bytes();
    let (mut id, mut nonce) = ([0; 16], [0; 12]);
    let (first, last) = bytes.split_at(id.len());
    id.copy_from_slice(first);
    nonce.copy_from_slice(last);
    (id, nonce)
}
