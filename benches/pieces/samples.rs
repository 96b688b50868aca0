//! What every piece is measured with: the claims of a usual token, and ids as spread as random ones.

use obol_token::{Claims, Expiry, FamilyId, Position, Subject, SubjectId, Timestamp, TokenId};

pub(crate) const CLIENT: &str = "fcare";
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
pub(crate) const EXPIRY: Expiry = Expiry::At(Timestamp::from_secs(1_800_003_600));

/// What a person's token says: about 150 characters when it is sealed.
pub(crate) fn claims(token_id: [u8; 16], family: [u8; 16]) -> Claims<'static> {
    Claims {
        token_id: TokenId::from_bytes(token_id),
        family: Some(FamilyId::from_bytes(family)),
        client_id: CLIENT,
        subject: Some(Subject { id: SubjectId::from_bytes([3; 16]), username: "alice" }),
        scopes: "read write",
        audience: None,
        confirmation: None,
        issued_at: NOW,
        expires_at: EXPIRY,
        position: Position::START,
    }
}

/// The id of this number: the same each time, and nowhere near that of the next.
pub(crate) fn id(number: u64) -> [u8; 16] {
    let (first, last) = (mix(number), mix(!number));
    (u128::from(first) << 64 | u128::from(last)).to_le_bytes()
}

/// Another number for each (SplitMix64).
pub(crate) fn mix(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
