//! Families.

use async_trait::async_trait;
use obol_store::{
    Appended, BeginOutcome, Families, Family, NewFamily, RotateOutcome, Rotated, Rotation, SessionEndRevokes,
    StoreError,
};
use obol_token::{ClientId, Denied, FamilyId, SecretHash, SessionId, SubjectId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::change_log::{Thing, append};
use crate::log_head::LogHead;
use crate::{SqliteStore, columns};

macro_rules! columns {
    () => {
        "id, client_id, subject, scopes, session, details, current_hash, issued_at, refresh_expires_at, ended"
    };
}

const BEGIN: &str = "INSERT INTO families (id, client_id, subject, scopes, lineage, current_hash, issued_at, \
     refresh_expires_at, access_expires_at, leaves_at, session, details) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 \
     WHERE EXISTS (SELECT 1 FROM clients WHERE clients.id = $2 AND enabled AND deleted_at IS NULL) \
     AND EXISTS (SELECT 1 FROM users WHERE users.id = $3 AND enabled AND deleted_at IS NULL) \
     AND NOT EXISTS (SELECT 1 FROM change_log WHERE position > $13 \
     AND ((kind = 3 AND change_log.id = $3) OR (kind = 4 AND change_log.id = $14) OR kind = 5))";
const DENY_OTHERS: &str = "INSERT INTO change_log (position, kind, id, leaves_at) \
     SELECT $1 + ROW_NUMBER() OVER (ORDER BY id), 2, id, access_expires_at FROM families \
     WHERE subject = $2 AND client_id = $3 AND id <> $4 AND ended IS NULL \
     AND (leaves_at > $5 OR leaves_at IS NULL)";
const END_OTHERS: &str = "UPDATE families SET ended = \
     (SELECT position FROM change_log WHERE kind = 2 AND change_log.id = families.id) \
     WHERE subject = $1 AND client_id = $2 AND id <> $3 AND ended IS NULL \
     AND (leaves_at > $4 OR leaves_at IS NULL)";
const DENY_OF_SESSION: &str = "INSERT INTO change_log (position, kind, id, leaves_at) \
     SELECT $1 + ROW_NUMBER() OVER (ORDER BY id), 2, id, access_expires_at FROM families \
     WHERE session = $2 AND ended IS NULL AND (leaves_at > $3 OR leaves_at IS NULL) \
     AND (REPLACE(' ' || scopes || ' ', ' offline_access ', '') = ' ' || scopes || ' ' OR $4)";
const END_OF_SESSION: &str = "UPDATE families SET ended = \
     (SELECT position FROM change_log WHERE kind = 2 AND change_log.id = families.id) \
     WHERE session = $1 AND ended IS NULL AND (leaves_at > $2 OR leaves_at IS NULL) \
     AND (REPLACE(' ' || scopes || ' ', ' offline_access ', '') = ' ' || scopes || ' ' OR $3)";
const ADVANCE: &str = "UPDATE log_head SET position = position + $1 RETURNING position";
const FIND: &str = concat!("SELECT ", columns!(), " FROM families WHERE lineage = $1");
const FIND_BY_ID: &str = concat!("SELECT ", columns!(), " FROM families WHERE id = $1");
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM families WHERE subject = $1 AND ended IS NULL AND (leaves_at > $2 OR leaves_at IS NULL) \
     ORDER BY issued_at DESC, id"
);
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
pub(crate) const STATEMENTS: &[&str] = &[
    BEGIN,
    DENY_OTHERS,
    END_OTHERS,
    DENY_OF_SESSION,
    END_OF_SESSION,
    ADVANCE,
    FIND,
    FIND_BY_ID,
    LIST,
    ROTATE,
    FIND_ROTATED,
    FIND_END,
    END,
];

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

    async fn find_family_by_id(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        self.readers
            .read(move |db| db.prepare_cached(FIND_BY_ID)?.query_row([id.as_bytes()], family).optional())
            .await
    }

    async fn list_families(&self, subject: SubjectId, now: Timestamp) -> Result<Vec<Family>, StoreError> {
        self.readers
            .read(move |db| {
                let values = (subject.as_bytes(), now.as_secs());
                db.prepare_cached(LIST)?.query_and_then(values, family)?.collect()
            })
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

/// Ends the families of this person at this client.
pub(crate) fn end_of_consent(
    db: &Connection,
    subject: SubjectId,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<Option<Appended>> {
    end_others(db, subject, client_id, &[], now)
}

/// Ends the families that were authorized in this session, as far as `revokes` says, however many, in four statements.
pub(crate) fn end_of_session(
    db: &Connection,
    session: SessionId,
    revokes: SessionEndRevokes,
    now: Timestamp,
) -> Result<Option<Appended>> {
    let all = revokes == SessionEndRevokes::Everything;
    let (session, now) = (session.as_bytes(), now.as_secs());
    let head = columns::from_position(LogHead::read(db)?);
    let denied = db.prepare_cached(DENY_OF_SESSION)?.execute((head, session, now, all))?;
    if denied == 0 {
        return Ok(None);
    }
    db.prepare_cached(END_OF_SESSION)?.execute((session, now, all))?;
    advance(db, denied).map(Some)
}

/// Begins a family, if client and person are there and were not denied meanwhile.
pub(crate) fn begin(db: &Connection, family: &NewFamily) -> Result<BeginOutcome> {
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
        columns::from_expiry(family.leaves_at()),
        family.session.as_ref().map(SessionId::as_bytes),
        family.details,
        columns::from_position(family.position),
        family.client_id.as_str().as_bytes(),
    ])?;
    match begun {
        0 => Ok(BeginOutcome::Gone),
        _ if family.single => {
            let (id, now) = (family.id.as_bytes(), family.issued_at);
            end_others(db, family.subject, &family.client_id, id, now).map(BeginOutcome::Begun)
        }
        _ => Ok(BeginOutcome::Begun(None)),
    }
}

/// Ends the families of this person at this client that have another id, however many, in four statements.
fn end_others(
    db: &Connection,
    subject: SubjectId,
    client_id: &ClientId,
    id: &[u8],
    now: Timestamp,
) -> Result<Option<Appended>> {
    let (subject, client_id, now) = (subject.as_bytes(), client_id.as_str(), now.as_secs());
    let head = columns::from_position(LogHead::read(db)?);
    let denied = db.prepare_cached(DENY_OTHERS)?.execute((head, subject, client_id, id, now))?;
    if denied == 0 {
        return Ok(None);
    }
    db.prepare_cached(END_OTHERS)?.execute((subject, client_id, id, now))?;
    advance(db, denied).map(Some)
}

/// Moves the end of the log past so many entries that were written behind it.
fn advance(db: &Connection, entries: usize) -> Result<Appended> {
    let entries = i64::try_from(entries).unwrap_or(i64::MAX);
    let last = db.prepare_cached(ADVANCE)?.query_row([entries], |row| columns::position(row, 0))?;
    Ok(Appended::danger_committed(last))
}

fn rotate(db: &Connection, rotation: &Rotation) -> Result<RotateOutcome> {
    let replaced = db.prepare_cached(ROTATE)?.execute(params![
        rotation.next.as_bytes(),
        rotation.sealed_answer,
        rotation.now.as_secs(),
        columns::from_expiry(rotation.refresh_expires_at),
        columns::from_expiry(rotation.access_expires_at),
        columns::from_expiry(rotation.last_expires_at()),
        rotation.lineage.as_bytes(),
        rotation.client_id.as_str(),
        rotation.presented.as_bytes(),
    ])?;
    if replaced > 0 {
        return Ok(RotateOutcome::First);
    }
    let key = (rotation.lineage.as_bytes(), rotation.client_id.as_str());
    let Some(found) = db.prepare_cached(FIND_ROTATED)?.query_row(key, rotated).optional()? else {
        return Ok(RotateOutcome::Unknown);
    };
    let id = found.id;
    match found.decide_without_end(rotation) {
        Some(outcome) => Ok(outcome),
        None => Ok(end(db, id)?.map_or(RotateOutcome::Unknown, RotateOutcome::Reused)),
    }
}

fn rotated(row: &Row<'_>) -> Result<Rotated> {
    Ok(Rotated {
        id: FamilyId::from_bytes(row.get(0)?),
        ended: ended(row, 1)?,
        refresh_expires_at: columns::expiry(row, 2)?,
        previous: row.get::<_, Option<[u8; 32]>>(3)?.map(SecretHash::from_bytes),
        rotated_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_secs),
        sealed_answer: row.get(5)?,
    })
}

fn family(row: &Row<'_>) -> Result<Family> {
    Ok(Family {
        id: FamilyId::from_bytes(row.get(0)?),
        client_id: columns::parsed(row, 1)?,
        subject: SubjectId::from_bytes(row.get(2)?),
        scopes: columns::parsed(row, 3)?,
        session: row.get::<_, Option<[u8; 16]>>(4)?.map(SessionId::from_bytes),
        details: row.get(5)?,
        current: columns::secret_hash(row, 6)?,
        issued_at: columns::timestamp(row, 7)?,
        refresh_expires_at: columns::expiry(row, 8)?,
        ended: ended(row, 9)?,
    })
}

fn ended(row: &Row<'_>, index: usize) -> Result<Option<Appended>> {
    match row.get_ref(index)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => Ok(Some(Appended::danger_committed(columns::position(row, index)?))),
    }
}
