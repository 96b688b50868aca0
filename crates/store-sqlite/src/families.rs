//! Families.

use async_trait::async_trait;
use obol_store::{Appended, BeginOutcome, Families, Family, NewFamily, RotateOutcome, Rotation, StoreError};
use obol_token::{Denied, Expiry, FamilyId, SecretHash, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::change_log::{Thing, append};
use crate::log_head::LogHead;
use crate::{SqliteStore, columns};

const BEGIN: &str = "INSERT INTO families (id, client_id, subject, scopes, lineage, current_hash, issued_at, \
     refresh_expires_at, access_expires_at, leaves_at) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 \
     WHERE EXISTS (SELECT 1 FROM clients WHERE clients.id = $2 AND enabled AND deleted_at IS NULL) \
     AND EXISTS (SELECT 1 FROM users WHERE users.id = $3 AND enabled AND deleted_at IS NULL) \
     AND NOT EXISTS (SELECT 1 FROM change_log WHERE position > $11 \
     AND ((kind = 3 AND change_log.id = $3) OR (kind = 4 AND change_log.id = $12) OR kind = 5))";
const DENY_OTHERS: &str = "INSERT INTO change_log (position, kind, id, leaves_at) \
     SELECT $1 + ROW_NUMBER() OVER (ORDER BY id), 2, id, access_expires_at FROM families \
     WHERE subject = $2 AND client_id = $3 AND id <> $4 AND ended IS NULL \
     AND (leaves_at > $5 OR leaves_at IS NULL)";
const END_OTHERS: &str = "UPDATE families SET ended = \
     (SELECT position FROM change_log WHERE kind = 2 AND change_log.id = families.id) \
     WHERE subject = $1 AND client_id = $2 AND id <> $3 AND ended IS NULL \
     AND (leaves_at > $4 OR leaves_at IS NULL)";
const ADVANCE: &str = "UPDATE log_head SET position = position + $1 RETURNING position";
const FIND: &str = "SELECT id, client_id, subject, scopes, current_hash, issued_at, refresh_expires_at, ended \
     FROM families WHERE lineage = $1";
const ROTATE: &str = "UPDATE families SET previous_hash = current_hash, current_hash = $1, sealed_answer = $2, \
     rotated_at = $3, refresh_expires_at = $4, \
     access_expires_at = CASE WHEN access_expires_at < $5 OR $5 IS NULL THEN $5 ELSE access_expires_at END, \
     leaves_at = CASE WHEN access_expires_at < $6 OR $6 IS NULL THEN $6 ELSE access_expires_at END \
     WHERE lineage = $7 AND client_id = $8 AND ended IS NULL \
     AND (refresh_expires_at > $3 OR refresh_expires_at IS NULL) AND current_hash = $9";
const FIND_ROTATED: &str = "SELECT id, ended, refresh_expires_at, previous_hash, rotated_at, sealed_answer \
     FROM families WHERE lineage = $1 AND client_id = $2";
const FIND_END: &str = "SELECT ended, access_expires_at FROM families WHERE id = $1";
const END: &str = "UPDATE families SET ended = $1 WHERE id = $2";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[BEGIN, DENY_OTHERS, END_OTHERS, ADVANCE, FIND, ROTATE, FIND_ROTATED, FIND_END, END];

#[async_trait]
impl Families for SqliteStore {
    async fn begin_family(&self, family: &NewFamily) -> Result<BeginOutcome, StoreError> {
        let family = family.clone();
        self.writer.write(Some(family.issued_at), move |db| begin(db, &family)).await
    }

    async fn find_family(&self, lineage: SecretHash) -> Result<Option<Family>, StoreError> {
        self.readers
            .read(move |db| db.prepare_cached(FIND)?.query_row([lineage.as_bytes()], family).optional())
            .await
    }

    async fn rotate_refresh(&self, rotation: &Rotation) -> Result<RotateOutcome, StoreError> {
        let rotation = rotation.clone();
        self.writer.write(Some(rotation.now), move |db| rotate(db, &rotation)).await
    }
}

/// Ends a family, unless it has ended, and denies its access tokens; `None` if there is none.
pub(crate) fn end(db: &Connection, id: FamilyId) -> Result<Option<Appended>> {
    let found = db
        .prepare_cached(FIND_END)?
        .query_row([id.as_bytes()], |row| Ok((ended(row, 0)?, columns::expiry(row, 1)?)))
        .optional()?;
    match found {
        None => Ok(None),
        Some((Some(appended), _)) => Ok(Some(appended)),
        Some((None, access_expires_at)) => {
            let denial = append(db, &Thing::Denied(&Denied::Family(id)), access_expires_at)?;
            let position = columns::from_position(denial.position());
            db.prepare_cached(END)?.execute((position, id.as_bytes()))?;
            Ok(Some(denial))
        }
    }
}

fn begin(db: &Connection, family: &NewFamily) -> Result<BeginOutcome> {
    let leaves_at = family.refresh_expires_at.max(family.access_expires_at);
    let begun = db.prepare_cached(BEGIN)?.execute(params![
        family.id.as_bytes(),
        family.client_id.as_str(),
        family.subject.as_bytes(),
        family.scopes.to_string(),
        family.lineage.as_bytes(),
        family.current.as_bytes(),
        family.issued_at.as_secs(),
        columns::from_expiry(family.refresh_expires_at),
        columns::from_expiry(family.access_expires_at),
        columns::from_expiry(leaves_at),
        columns::from_position(family.position),
        family.client_id.as_str().as_bytes(),
    ])?;
    match begun {
        0 => Ok(BeginOutcome::Gone),
        _ if family.single => end_others(db, family).map(BeginOutcome::Begun),
        _ => Ok(BeginOutcome::Begun(None)),
    }
}

/// Ends the other families of this person at this client, however many, in three statements.
fn end_others(db: &Connection, family: &NewFamily) -> Result<Option<Appended>> {
    let (subject, client_id) = (family.subject.as_bytes(), family.client_id.as_str());
    let (id, now) = (family.id.as_bytes(), family.issued_at.as_secs());
    let head = columns::from_position(LogHead::read(db)?);
    let denied = db.prepare_cached(DENY_OTHERS)?.execute((head, subject, client_id, id, now))?;
    let denied = i64::try_from(denied).unwrap_or(i64::MAX);
    if denied == 0 {
        return Ok(None);
    }
    db.prepare_cached(END_OTHERS)?.execute((subject, client_id, id, now))?;
    let last = db.prepare_cached(ADVANCE)?.query_row([denied], |row| columns::position(row, 0))?;
    Ok(Some(Appended::danger_committed(last)))
}

fn rotate(db: &Connection, rotation: &Rotation) -> Result<RotateOutcome> {
    let last_expiry = rotation.refresh_expires_at.max(rotation.access_expires_at);
    let rotated = db.prepare_cached(ROTATE)?.execute(params![
        rotation.next.as_bytes(),
        rotation.sealed_answer,
        rotation.now.as_secs(),
        columns::from_expiry(rotation.refresh_expires_at),
        columns::from_expiry(rotation.access_expires_at),
        columns::from_expiry(last_expiry),
        rotation.lineage.as_bytes(),
        rotation.client_id.as_str(),
        rotation.presented.as_bytes(),
    ])?;
    if rotated > 0 {
        return Ok(RotateOutcome::First);
    }
    let key = (rotation.lineage.as_bytes(), rotation.client_id.as_str());
    let Some(found) = db.prepare_cached(FIND_ROTATED)?.query_row(key, Rotated::read).optional()? else {
        return Ok(RotateOutcome::Unknown);
    };
    if found.ended.is_some() {
        return Ok(RotateOutcome::Ended);
    }
    if found.refresh_expires_at.is_over(rotation.now) {
        return Ok(RotateOutcome::Expired);
    }
    let id = found.id;
    if let Some(sealed_answer) = found.replay_of(rotation) {
        return Ok(RotateOutcome::Replay(sealed_answer));
    }
    Ok(end(db, id)?.map_or(RotateOutcome::Unknown, RotateOutcome::Reused))
}

/// A family whose current refresh token is not the presented one.
struct Rotated {
    id: FamilyId,
    ended: Option<Appended>,
    refresh_expires_at: Expiry,
    previous: Option<[u8; 32]>,
    rotated_at: Option<Timestamp>,
    sealed_answer: Option<Vec<u8>>,
}

impl Rotated {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: FamilyId::from_bytes(row.get(0)?),
            ended: ended(row, 1)?,
            refresh_expires_at: columns::expiry(row, 2)?,
            previous: row.get(3)?,
            rotated_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_secs),
            sealed_answer: row.get(5)?,
        })
    }

    /// The answer of the rotation that replaced the presented token, if that was within the grace window.
    fn replay_of(self, rotation: &Rotation) -> Option<Vec<u8>> {
        let just_replaced = self.previous.as_ref() == Some(rotation.presented.as_bytes());
        let (rotated_at, now) = (self.rotated_at?, rotation.now);
        // One of the two is 0. A clock that was set back does not lengthen the window.
        let apart_secs = rotated_at.secs_until(now).max(now.secs_until(rotated_at));
        let within_grace = apart_secs < i64::from(rotation.grace_secs);
        if just_replaced && within_grace { self.sealed_answer } else { None }
    }
}

fn family(row: &Row<'_>) -> Result<Family> {
    Ok(Family {
        id: FamilyId::from_bytes(row.get(0)?),
        client_id: columns::parsed(row, 1)?,
        subject: obol_token::SubjectId::from_bytes(row.get(2)?),
        scopes: columns::parsed(row, 3)?,
        current: columns::secret_hash(row, 4)?,
        issued_at: columns::timestamp(row, 5)?,
        refresh_expires_at: columns::expiry(row, 6)?,
        ended: ended(row, 7)?,
    })
}

fn ended(row: &Row<'_>, index: usize) -> Result<Option<Appended>> {
    match row.get_ref(index)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => Ok(Some(Appended::danger_committed(columns::position(row, index)?))),
    }
}
