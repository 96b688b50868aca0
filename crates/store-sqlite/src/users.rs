//! People.

use async_trait::async_trait;
use obol_store::{
    AddOutcome, ChangeOutcome, PasswordHash, Profile, ReplaceOutcome, StoreError, User, Username, Users,
    to_json,
};
use obol_token::{SubjectId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Params, Result, Row, params};

use crate::change_log::at_head;
use crate::{SqliteStore, codes, columns, consents, denials, sessions};

macro_rules! columns {
    () => {
        "id, username, email, profile, password, enabled, created_at"
    };
}

const ADD: &str = concat!(
    "INSERT INTO users (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (username) DO NOTHING"
);
const IS_DELETED: &str = "SELECT deleted_at IS NOT NULL FROM users WHERE username = $1";
const FIND: &str = concat!("SELECT ", columns!(), " FROM users WHERE username = $1 AND deleted_at IS NULL");
const FIND_BY_ID: &str = concat!("SELECT ", columns!(), " FROM users WHERE id = $1 AND deleted_at IS NULL");
const LIST: &str = concat!("SELECT ", columns!(), " FROM users WHERE deleted_at IS NULL ORDER BY username");
const SET_ENABLED: &str =
    "UPDATE users SET enabled = $1 WHERE username = $2 AND deleted_at IS NULL RETURNING id";
const SET_PASSWORD: &str =
    "UPDATE users SET password = $1 WHERE username = $2 AND deleted_at IS NULL RETURNING id";
const SET_PROFILE: &str =
    "UPDATE users SET email = $1, profile = $2 WHERE username = $3 AND deleted_at IS NULL";
const DELETE: &str = "UPDATE users SET email = NULL, profile = '{}', password = '', enabled = FALSE, deleted_at = $1 \
     WHERE username = $2 AND deleted_at IS NULL RETURNING id";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] =
    &[ADD, IS_DELETED, FIND, FIND_BY_ID, LIST, SET_ENABLED, SET_PASSWORD, SET_PROFILE, DELETE];

#[async_trait]
impl Users for SqliteStore {
    async fn add_user(&self, user: &User) -> Result<AddOutcome, StoreError> {
        let (user, profile) = (user.clone(), to_json(&user.profile)?);
        self.writer.write(Some(user.created_at), move |db| add(db, &user, &profile)).await
    }

    async fn find_user(&self, username: &Username) -> Result<Option<User>, StoreError> {
        let name = username.clone();
        self.readers.read(move |db| find(db, &name)).await
    }

    async fn find_user_by_id(&self, id: SubjectId) -> Result<Option<User>, StoreError> {
        self.readers
            .read(move |db| db.prepare_cached(FIND_BY_ID)?.query_row([id.as_bytes()], user).optional())
            .await
    }

    async fn list_users(&self) -> Result<Vec<User>, StoreError> {
        self.readers.read(|db| db.prepare_cached(LIST)?.query_and_then([], user)?.collect()).await
    }

    async fn set_user_enabled(
        &self,
        username: &Username,
        enabled: bool,
        now: Timestamp,
    ) -> Result<ChangeOutcome, StoreError> {
        let name = username.clone();
        let changed = self
            .writer
            .write(Some(now), move |db| match changed(db, SET_ENABLED, (enabled, name.as_str()))? {
                None => Ok(ChangeOutcome::Unknown),
                Some(_) if enabled => at_head(db).map(ChangeOutcome::Changed),
                Some(id) => denials::deny_subject(db, id, now).map(ChangeOutcome::Changed),
            })
            .await?;
        self.sessions_ended.notify_one();
        Ok(changed)
    }

    async fn set_user_profile(
        &self,
        former: &User,
        email: Option<&str>,
        profile: &Profile,
    ) -> Result<ReplaceOutcome, StoreError> {
        let (former, email) = (former.clone(), email.map(str::to_owned));
        let profile = to_json(profile)?;
        self.writer.write(None, move |db| replace(db, &former, email.as_deref(), &profile)).await
    }

    async fn set_user_password(
        &self,
        username: &Username,
        password: &PasswordHash,
        now: Timestamp,
    ) -> Result<ChangeOutcome, StoreError> {
        let (name, password) = (username.clone(), password.clone());
        let changed = self
            .writer
            .write(Some(now), move |db| {
                denied(db, changed(db, SET_PASSWORD, (password.as_phc(), name.as_str()))?, now)
            })
            .await?;
        self.sessions_ended.notify_one();
        Ok(changed)
    }

    async fn delete_user(&self, username: &Username, now: Timestamp) -> Result<ChangeOutcome, StoreError> {
        let name = username.clone();
        let changed = self
            .writer
            .write(Some(now), move |db| match changed(db, DELETE, (now.as_secs(), name.as_str()))? {
                None => Ok(ChangeOutcome::Unknown),
                Some(id) => deleted(db, id, now),
            })
            .await?;
        self.sessions_ended.notify_one();
        Ok(changed)
    }
}

fn add(db: &Connection, user: &User, profile: &str) -> Result<AddOutcome> {
    let added = db.prepare_cached(ADD)?.execute(params![
        user.id.as_bytes(),
        user.username.as_str(),
        user.email,
        profile,
        user.password.as_phc(),
        user.enabled,
        user.created_at.as_secs(),
    ])?;
    if added > 0 {
        return at_head(db).map(AddOutcome::Added);
    }
    let deleted = db.prepare_cached(IS_DELETED)?.query_row([user.username.as_str()], |row| row.get(0))?;
    Ok(if deleted { AddOutcome::NeverAgain } else { AddOutcome::Taken })
}

fn find(db: &Connection, username: &Username) -> Result<Option<User>> {
    db.prepare_cached(FIND)?.query_row([username.as_str()], user).optional()
}

/// No other write comes between the two statements: writers take turns.
fn replace(db: &Connection, former: &User, email: Option<&str>, profile: &str) -> Result<ReplaceOutcome> {
    if let Err(outcome) = ReplaceOutcome::check(find(db, &former.username)?.as_ref(), former) {
        return Ok(outcome);
    }
    db.prepare_cached(SET_PROFILE)?.execute((email, profile, former.username.as_str()))?;
    at_head(db).map(ReplaceOutcome::Replaced)
}

/// Runs a change; the id of the person whom it found.
fn changed(db: &Connection, statement: &str, values: impl Params) -> Result<Option<SubjectId>> {
    db.prepare_cached(statement)?.query_row(values, |row| row.get(0).map(SubjectId::from_bytes)).optional()
}

fn denied(db: &Connection, found: Option<SubjectId>, now: Timestamp) -> Result<ChangeOutcome> {
    match found {
        None => Ok(ChangeOutcome::Unknown),
        Some(id) => denials::deny_subject(db, id, now).map(ChangeOutcome::Changed),
    }
}

/// Denies what a person was given, and forgets what is of no use any more.
fn deleted(db: &Connection, id: SubjectId, now: Timestamp) -> Result<ChangeOutcome> {
    let denial = denials::deny_subject(db, id, now)?;
    sessions::end_of_subject(db, id)?;
    codes::end_of_subject(db, id)?;
    consents::withdraw_of_subject(db, id)?;
    Ok(ChangeOutcome::Changed(denial))
}

fn user(row: &Row<'_>) -> Result<User> {
    Ok(User {
        id: SubjectId::from_bytes(row.get(0)?),
        username: columns::parsed(row, 1)?,
        email: row.get(2)?,
        profile: columns::json(row, 3)?,
        password: PasswordHash::from_phc(row.get_ref(4)?.as_str()?),
        enabled: row.get(5)?,
        created_at: columns::timestamp(row, 6)?,
    })
}
