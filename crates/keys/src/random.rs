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
