//! People.

use async_trait::async_trait;
use obol_store::{
    AddOutcome, ChangeOutcome, PasswordHash, Profile, ReplaceOutcome, StoreError, User, Username, Users,
    to_json,
};
use obol_token::{SubjectId, Timestamp};
use tokio_postgres::Row;

use crate::change_log::at_head;
use crate::connection::{Connection, Values};
use crate::error::Result;
use crate::{PostgresStore, codes, columns, consents, denials, sessions};

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
impl Users for PostgresStore {
    async fn add_user(&self, user: &User) -> Result<AddOutcome, StoreError> {
        let (user, profile) = (user.clone(), to_json(&user.profile)?);
        let now = user.created_at;
        self.writer.write(Some(now), move |db| Box::pin(async move { add(db, &user, &profile).await })).await
    }

    async fn find_user(&self, username: &Username) -> Result<Option<User>, StoreError> {
        self.readers.read(async |db| found(db, FIND, &[&username.as_str()]).await).await
    }

    async fn find_user_by_id(&self, id: SubjectId) -> Result<Option<User>, StoreError> {
        self.readers.read(async |db| found(db, FIND_BY_ID, &[&id.as_bytes().as_slice()]).await).await
    }

    async fn list_users(&self) -> Result<Vec<User>, StoreError> {
        self.readers.read_whole_table(async |db| db.query(LIST, &[]).await?.iter().map(user).collect()).await
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
            .write(Some(now), move |db| {
                Box::pin(async move {
                    match changed(db, SET_ENABLED, &[&enabled, &name.as_str()]).await? {
                        None => Ok(ChangeOutcome::Unknown),
                        Some(_) if enabled => at_head(db).await.map(ChangeOutcome::Changed),
                        Some(id) => denials::deny_subject(db, id, now).await.map(ChangeOutcome::Changed),
                    }
                })
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
        self.writer
            .write(None, move |db| {
                Box::pin(async move { replace(db, &former, email.as_deref(), &profile).await })
            })
            .await
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
                Box::pin(async move {
                    let values: Values<'_> = &[&password.as_phc(), &name.as_str()];
                    denied(db, changed(db, SET_PASSWORD, values).await?, now).await
                })
            })
            .await?;
        self.sessions_ended.notify_one();
        Ok(changed)
    }

    async fn delete_user(&self, username: &Username, now: Timestamp) -> Result<ChangeOutcome, StoreError> {
        let name = username.clone();
        let changed = self
            .writer
            .write(Some(now), move |db| {
                Box::pin(async move {
                    let values: Values<'_> = &[&now.as_secs(), &name.as_str()];
                    match changed(db, DELETE, values).await? {
                        None => Ok(ChangeOutcome::Unknown),
                        Some(id) => deleted(db, id, now).await,
                    }
                })
            })
            .await?;
        self.sessions_ended.notify_one();
        Ok(changed)
    }
}

async fn add(db: &Connection, user: &User, profile: &str) -> Result<AddOutcome> {
    let values: Values<'_> = &[
        &user.id.as_bytes().as_slice(),
        &user.username.as_str(),
        &user.email,
        &profile,
        &user.password.as_phc(),
        &user.enabled,
        &user.created_at.as_secs(),
    ];
    let added = db.execute(ADD, values).await?;
    if added > 0 {
        return at_head(db).await.map(AddOutcome::Added);
    }
    let stored = db.load(IS_DELETED, &[&user.username.as_str()]).await?;
    Ok(if columns::value(&stored, 0)? { AddOutcome::NeverAgain } else { AddOutcome::Taken })
}

async fn found(db: &Connection, statement: &'static str, values: Values<'_>) -> Result<Option<User>> {
    db.find(statement, values).await?.as_ref().map(user).transpose()
}

/// No other write comes between the two statements: writers take turns.
async fn replace(
    db: &Connection,
    former: &User,
    email: Option<&str>,
    profile: &str,
) -> Result<ReplaceOutcome> {
    let name = former.username.as_str();
    if let Err(outcome) = ReplaceOutcome::check(found(db, FIND, &[&name]).await?.as_ref(), former) {
        return Ok(outcome);
    }
    db.execute(SET_PROFILE, &[&email, &profile, &name]).await?;
    at_head(db).await.map(ReplaceOutcome::Replaced)
}

/// Runs a change; the id of the person whom it found.
async fn changed(db: &Connection, statement: &'static str, values: Values<'_>) -> Result<Option<SubjectId>> {
    let found = db.find(statement, values).await?;
    found.map(|row| columns::bytes(&row, 0).map(SubjectId::from_bytes)).transpose()
}

async fn denied(db: &Connection, found: Option<SubjectId>, now: Timestamp) -> Result<ChangeOutcome> {
    match found {
        None => Ok(ChangeOutcome::Unknown),
        Some(id) => denials::deny_subject(db, id, now).await.map(ChangeOutcome::Changed),
    }
}

/// Denies what a person was given, and forgets what is of no use any more.
async fn deleted(db: &Connection, id: SubjectId, now: Timestamp) -> Result<ChangeOutcome> {
    let denial = denials::deny_subject(db, id, now).await?;
    sessions::end_of_subject(db, id).await?;
    codes::end_of_subject(db, id).await?;
    consents::withdraw_of_subject(db, id).await?;
    Ok(ChangeOutcome::Changed(denial))
}

fn user(row: &Row) -> Result<User> {
    Ok(User {
        id: SubjectId::from_bytes(columns::bytes(row, 0)?),
        username: columns::parsed(row, 1)?,
        email: columns::value(row, 2)?,
        profile: columns::json(row, 3)?,
        password: PasswordHash::from_phc(columns::value(row, 4)?),
        enabled: columns::value(row, 5)?,
        created_at: columns::timestamp(row, 6)?,
    })
}
