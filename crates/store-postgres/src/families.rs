//! Families.

use async_trait::async_trait;
use obol_store::{
    Appended, BeginOutcome, Families, Family, NewFamily, RotateOutcome, Rotated, Rotation, SessionEndRevokes,
    StoreError,
};
use obol_token::{ClientId, Denied, FamilyId, SecretHash, SessionId, SubjectId, Timestamp};
use tokio_postgres::Row;

use crate::change_log::{Thing, append};
use crate::columns::value;
use crate::connection::{Connection, Values};
use crate::error::Result;
use crate::log_head::LogHead;
use crate::{PostgresStore, columns};

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
impl Families for PostgresStore {
    async fn begin_family(&self, family: &NewFamily) -> Result<BeginOutcome, StoreError> {
        let family = family.clone();
        let now = family.issued_at;
        self.writer.write(Some(now), move |db| Box::pin(async move { begin(db, &family).await })).await
    }

    async fn find_family(&self, lineage: SecretHash) -> Result<Option<Family>, StoreError> {
        let found = self.readers.read(async |db| {
            let found = db.find(FIND, &[&lineage.as_bytes().as_slice()]).await?;
            found.as_ref().map(family).transpose()
        });
        found.await
    }

    async fn find_family_by_id(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        let found = self.readers.read(async |db| {
            let found = db.find(FIND_BY_ID, &[&id.as_bytes().as_slice()]).await?;
            found.as_ref().map(family).transpose()
        });
        found.await
    }

    async fn list_families(&self, subject: SubjectId, now: Timestamp) -> Result<Vec<Family>, StoreError> {
        let listed = self.readers.read(async |db| {
            let rows = db.query(LIST, &[&subject.as_bytes().as_slice(), &now.as_secs()]).await?;
            rows.iter().map(family).collect()
        });
        listed.await
    }

    async fn rotate_refresh(&self, rotation: &Rotation) -> Result<RotateOutcome, StoreError> {
        let rotation = rotation.clone();
        let now = rotation.now;
        self.writer.write(Some(now), move |db| Box::pin(async move { rotate(db, &rotation).await })).await
    }
}

/// Ends a family, unless it has ended, and denies its access tokens; `None` if there is none.
pub(crate) async fn end(db: &Connection, id: FamilyId) -> Result<Option<Appended>> {
    let Some(found) = db.find(FIND_END, &[&id.as_bytes().as_slice()]).await? else { return Ok(None) };
    if let Some(ended) = ended(&found, 0)? {
        return Ok(Some(ended));
    }
    let denial = append(db, &Thing::Denied(&Denied::Family(id)), columns::expiry(&found, 1)?).await?;
    let position = columns::from_position(denial.position());
    db.execute(END, &[&position, &id.as_bytes().as_slice()]).await?;
    Ok(Some(denial))
}

/// Ends the families of this person at this client.
pub(crate) async fn end_of_consent(
    db: &Connection,
    subject: SubjectId,
    client_id: &ClientId,
    now: Timestamp,
) -> Result<Option<Appended>> {
    end_others(db, subject, client_id, &[], now).await
}

/// Ends the families that were authorized in this session, as far as `revokes` says, however many, in four statements.
pub(crate) async fn end_of_session(
    db: &Connection,
    session: SessionId,
    revokes: SessionEndRevokes,
    now: Timestamp,
) -> Result<Option<Appended>> {
    let all = revokes == SessionEndRevokes::Everything;
    let (session, now) = (session.as_bytes().as_slice(), now.as_secs());
    let head = columns::from_position(LogHead::last_given(db).await?);
    let denied = db.execute(DENY_OF_SESSION, &[&head, &session, &now, &all]).await?;
    if denied == 0 {
        return Ok(None);
    }
    db.execute(END_OF_SESSION, &[&session, &now, &all]).await?;
    advance(db, denied).await.map(Some)
}

/// Begins a family, if client and person are there and were not denied meanwhile.
pub(crate) async fn begin(db: &Connection, family: &NewFamily) -> Result<BeginOutcome> {
    let values: Values<'_> = &[
        &family.id.as_bytes().as_slice(),
        &family.client_id.as_str(),
        &family.subject.as_bytes().as_slice(),
        &family.scopes.to_string(),
        &family.lineage.as_bytes().as_slice(),
        &family.current.as_bytes().as_slice(),
        &family.issued_at.as_secs(),
        &columns::from_expiry(family.refresh_expires_at),
        &columns::from_expiry(family.access_expires_at),
        &columns::from_expiry(family.leaves_at()),
        &family.session.as_ref().map(|session| session.as_bytes().as_slice()),
        &family.details,
        &columns::from_position(family.position),
        &family.client_id.as_str().as_bytes(),
    ];
    let begun = db.execute(BEGIN, values).await?;
    match begun {
        0 => Ok(BeginOutcome::Gone),
        _ if family.single => {
            let (id, now) = (family.id.as_bytes(), family.issued_at);
            end_others(db, family.subject, &family.client_id, id, now).await.map(BeginOutcome::Begun)
        }
        _ => Ok(BeginOutcome::Begun(None)),
    }
}

/// Ends the families of this person at this client that have another id, however many, in four statements.
async fn end_others(
    db: &Connection,
    subject: SubjectId,
    client_id: &ClientId,
    id: &[u8],
    now: Timestamp,
) -> Result<Option<Appended>> {
    let (subject, client_id) = (subject.as_bytes().as_slice(), client_id.as_str());
    let now = now.as_secs();
    let head = columns::from_position(LogHead::last_given(db).await?);
    let denied = db.execute(DENY_OTHERS, &[&head, &subject, &client_id, &id, &now]).await?;
    if denied == 0 {
        return Ok(None);
    }
    db.execute(END_OTHERS, &[&subject, &client_id, &id, &now]).await?;
    advance(db, denied).await.map(Some)
}

/// Moves the end of the log past so many entries that were written behind it.
async fn advance(db: &Connection, entries: u64) -> Result<Appended> {
    let entries = i64::try_from(entries).unwrap_or(i64::MAX);
    let last = columns::position(&db.load(ADVANCE, &[&entries]).await?, 0)?;
    Ok(Appended::danger_committed(last))
}

async fn rotate(db: &Connection, rotation: &Rotation) -> Result<RotateOutcome> {
    let (lineage, client_id) = (rotation.lineage.as_bytes().as_slice(), rotation.client_id.as_str());
    let values: Values<'_> = &[
        &rotation.next.as_bytes().as_slice(),
        &rotation.sealed_answer,
        &rotation.now.as_secs(),
        &columns::from_expiry(rotation.refresh_expires_at),
        &columns::from_expiry(rotation.access_expires_at),
        &columns::from_expiry(rotation.last_expires_at()),
        &lineage,
        &client_id,
        &rotation.presented.as_bytes().as_slice(),
    ];
    let replaced = db.execute(ROTATE, values).await?;
    if replaced > 0 {
        return Ok(RotateOutcome::First);
    }
    let Some(found) = db.find(FIND_ROTATED, &[&lineage, &client_id]).await? else {
        return Ok(RotateOutcome::Unknown);
    };
    let found = rotated(&found)?;
    let id = found.id;
    match found.decide_without_end(rotation) {
        Some(outcome) => Ok(outcome),
        None => Ok(end(db, id).await?.map_or(RotateOutcome::Unknown, RotateOutcome::Reused)),
    }
}

fn rotated(row: &Row) -> Result<Rotated> {
    Ok(Rotated {
        id: FamilyId::from_bytes(columns::bytes(row, 0)?),
        ended: ended(row, 1)?,
        refresh_expires_at: columns::expiry(row, 2)?,
        previous: columns::optional_bytes(row, 3)?.map(SecretHash::from_bytes),
        rotated_at: value::<Option<i64>>(row, 4)?.map(Timestamp::from_secs),
        sealed_answer: value(row, 5)?,
    })
}

fn family(row: &Row) -> Result<Family> {
    Ok(Family {
        id: FamilyId::from_bytes(columns::bytes(row, 0)?),
        client_id: columns::parsed(row, 1)?,
        subject: SubjectId::from_bytes(columns::bytes(row, 2)?),
        scopes: columns::parsed(row, 3)?,
        session: columns::optional_bytes(row, 4)?.map(SessionId::from_bytes),
        details: value(row, 5)?,
        current: columns::secret_hash(row, 6)?,
        issued_at: columns::timestamp(row, 7)?,
        refresh_expires_at: columns::expiry(row, 8)?,
        ended: ended(row, 9)?,
    })
}

fn ended(row: &Row, index: usize) -> Result<Option<Appended>> {
    match value::<Option<i64>>(row, index)? {
        None => Ok(None),
        Some(_) => Ok(Some(Appended::danger_committed(columns::position(row, index)?))),
    }
}
