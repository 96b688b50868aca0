//! Authorization codes.

use async_trait::async_trait;
use obol_store::{AddCodeOutcome, BeginOutcome, Code, Codes, NewCode, RedeemOutcome, Redemption, StoreError};
use obol_token::{ClientId, FamilyId, SecretHash, SessionId, SubjectId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::change_log::at_head;
use crate::sessions::stands;
use crate::{SqliteStore, columns, families, logout_notices};

const ADD: &str = concat!(
    "INSERT INTO codes (hash, client_id, subject, session, details, issued_at, expires_at, position, leaves_at) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $7 \
     WHERE EXISTS (SELECT 1 FROM sessions WHERE sessions.id = $4 AND sessions.subject = $3 AND ",
    stands!("$6"),
    ") AND EXISTS (SELECT 1 FROM consents WHERE consents.subject = $3 AND consents.client_id = $2) \
     AND EXISTS (SELECT 1 FROM clients WHERE clients.id = $2 AND enabled AND deleted_at IS NULL) \
     AND COALESCE((SELECT position FROM change_log WHERE kind = 3 AND change_log.id = $3), 0) <= $8 \
     AND COALESCE((SELECT position FROM change_log WHERE kind = 4 AND change_log.id = $9), 0) <= $8 \
     AND COALESCE((SELECT position FROM change_log WHERE kind = 5), 0) <= $8"
);
const FIND: &str = "SELECT client_id, subject, session, details, issued_at, expires_at, position, family \
     FROM codes WHERE hash = $1";
const REDEEM: &str = concat!(
    "UPDATE codes SET family = $1, redeemed_at = $2, leaves_at = $3 WHERE hash = $4 AND client_id = $5 \
     AND subject = $6 AND session = $7 AND family IS NULL AND expires_at > $2 \
     AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = $7 AND ",
    stands!("$2"),
    ")"
);
const UNDO_REDEEM: &str =
    "UPDATE codes SET family = NULL, redeemed_at = NULL, leaves_at = expires_at WHERE hash = $1";
const FIND_REDEEMED: &str =
    "SELECT expires_at, family, redeemed_at FROM codes WHERE hash = $1 AND client_id = $2";
const END_OF_SESSION: &str = "DELETE FROM codes WHERE session = $1 AND family IS NULL";
const END_OF_CONSENT: &str = "DELETE FROM codes WHERE subject = $1 AND client_id = $2 AND family IS NULL";
const END_OF_SUBJECT: &str = "DELETE FROM codes WHERE subject = $1 AND family IS NULL";
const END_OF_CLIENT: &str = "DELETE FROM codes WHERE client_id = $1 AND family IS NULL";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    ADD,
    FIND,
    REDEEM,
    UNDO_REDEEM,
    FIND_REDEEMED,
    END_OF_SESSION,
    END_OF_CONSENT,
    END_OF_SUBJECT,
    END_OF_CLIENT,
];

#[async_trait]
impl Codes for SqliteStore {
    async fn add_code(&self, code: &NewCode) -> Result<AddCodeOutcome, StoreError> {
        let code = code.clone();
        self.writer.write(Some(code.issued_at), move |db| add(db, &code)).await
    }

    async fn find_code(&self, hash: SecretHash) -> Result<Option<Code>, StoreError> {
        self.readers
            .read(move |db| db.prepare_cached(FIND)?.query_row([hash.as_bytes()], code).optional())
            .await
    }

    async fn redeem_code(&self, redemption: &Redemption) -> Result<RedeemOutcome, StoreError> {
        let redemption = redemption.clone();
        self.writer.write(Some(redemption.now), move |db| redeem(db, &redemption)).await
    }
}

/// Ends the unused codes of a session that has ended.
pub(crate) fn end_of_session(db: &Connection, session: SessionId) -> Result<()> {
    db.prepare_cached(END_OF_SESSION)?.execute([session.as_bytes()]).map(drop)
}

/// Ends the unused codes of a consent that is withdrawn; how many there were.
pub(crate) fn end_of_consent(db: &Connection, subject: SubjectId, client_id: &ClientId) -> Result<usize> {
    db.prepare_cached(END_OF_CONSENT)?.execute((subject.as_bytes(), client_id.as_str()))
}

/// Ends the unused codes of a person who is deleted.
pub(crate) fn end_of_subject(db: &Connection, subject: SubjectId) -> Result<()> {
    db.prepare_cached(END_OF_SUBJECT)?.execute([subject.as_bytes()]).map(drop)
}

/// Ends the unused codes of a client that is deleted.
pub(crate) fn end_of_client(db: &Connection, client_id: &ClientId) -> Result<()> {
    db.prepare_cached(END_OF_CLIENT)?.execute([client_id.as_str()]).map(drop)
}

fn add(db: &Connection, code: &NewCode) -> Result<AddCodeOutcome> {
    let added = db.prepare_cached(ADD)?.execute(params![
        code.hash.as_bytes(),
        code.client_id.as_str(),
        code.subject.as_bytes(),
        code.session.as_bytes(),
        code.details,
        code.issued_at.as_secs(),
        code.expires_at.as_secs(),
        columns::from_position(code.position),
        code.client_id.as_str().as_bytes(),
    ])?;
    Ok(if added > 0 { AddCodeOutcome::Added } else { AddCodeOutcome::Gone })
}

fn redeem(db: &Connection, redemption: &Redemption) -> Result<RedeemOutcome> {
    let family = &redemption.family;
    let redeemed = db.prepare_cached(REDEEM)?.execute(params![
        family.id.as_bytes(),
        redemption.now.as_secs(),
        columns::from_expiry(family.leaves_at()),
        redemption.hash.as_bytes(),
        family.client_id.as_str(),
        family.subject.as_bytes(),
        family.session.as_ref().map(SessionId::as_bytes),
    ])?;
    if redeemed == 0 {
        return refuse(db, redemption);
    }
    match families::begin(db, family)? {
        BeginOutcome::Begun(replaced) => {
            if let (Some(session), Some(details)) = (family.session, &redemption.told_of_end) {
                logout_notices::remember(db, session, &family.client_id, details)?;
            }
            Ok(RedeemOutcome::First(replaced))
        }
        BeginOutcome::Gone => {
            db.prepare_cached(UNDO_REDEEM)?.execute([redemption.hash.as_bytes()])?;
            Ok(RedeemOutcome::Gone)
        }
    }
}

/// Says why a code cannot be redeemed, and ends the family that an earlier use began.
fn refuse(db: &Connection, redemption: &Redemption) -> Result<RedeemOutcome> {
    let key = (redemption.hash.as_bytes(), redemption.family.client_id.as_str());
    let Some(found) = db.prepare_cached(FIND_REDEEMED)?.query_row(key, Redeemed::read).optional()? else {
        return Ok(RedeemOutcome::Unknown);
    };
    match found.first_use {
        Some((_, at)) if redemption.is_within_grace(at) => Ok(RedeemOutcome::Raced),
        Some((family, _)) => match families::end(db, family)? {
            Some(end) => Ok(RedeemOutcome::Reused(end)),
            None => at_head(db).map(RedeemOutcome::Reused),
        },
        None if redemption.now.has_reached(found.expires_at) => Ok(RedeemOutcome::Expired),
        None => Ok(RedeemOutcome::Gone),
    }
}

/// A code that cannot be redeemed.
struct Redeemed {
    expires_at: Timestamp,
    /// The family that it began, and when.
    first_use: Option<(FamilyId, Timestamp)>,
}

impl Redeemed {
    fn read(row: &Row<'_>) -> Result<Self> {
        let first_use = match row.get::<_, Option<[u8; 16]>>(1)? {
            Some(family) => Some((FamilyId::from_bytes(family), columns::timestamp(row, 2)?)),
            None => None,
        };
        Ok(Self { expires_at: columns::timestamp(row, 0)?, first_use })
    }
}

fn code(row: &Row<'_>) -> Result<Code> {
    Ok(Code {
        client_id: columns::parsed(row, 0)?,
        subject: SubjectId::from_bytes(row.get(1)?),
        session: SessionId::from_bytes(row.get(2)?),
        details: row.get(3)?,
        issued_at: columns::timestamp(row, 4)?,
        expires_at: columns::timestamp(row, 5)?,
        position: columns::position(row, 6)?,
        family: row.get::<_, Option<[u8; 16]>>(7)?.map(FamilyId::from_bytes),
    })
}
