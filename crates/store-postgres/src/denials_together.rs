//! The denials that come most often, however many at once, in one statement each.

use std::collections::{BTreeSet, HashMap};

use obol_store::Appended;
use tokio_postgres::Row;

use crate::columns;
use crate::connection::Connection;
use crate::error::{Error, Result, store_error};
use crate::request::{Pending, Request};

/// No part of a statement sees what another part of it writes: `log_head` and the rest are read as they were before.
///
/// What is looked up is looked up in sub-selects: a join that was planned while the tables were empty may read all of them.
const DENY_TOKENS: &str = "WITH denied AS (INSERT INTO change_log (position, kind, id, leaves_at) \
     SELECT log_head.position + number, 1, id, leaves_at FROM log_head, \
     unnest(CAST($1 AS BYTEA[]), CAST($2 AS BIGINT[])) WITH ORDINALITY AS asked (id, leaves_at, number) \
     ON CONFLICT (kind, id) DO NOTHING RETURNING id, position), \
     advanced AS (UPDATE log_head SET position = (SELECT MAX(position) FROM denied) \
     WHERE EXISTS (SELECT 1 FROM denied)) \
     SELECT id, position FROM denied UNION ALL \
     SELECT known.id, (SELECT position FROM change_log WHERE kind = 1 AND change_log.id = known.id) \
     FROM unnest($1) AS known (id)";
const END_FAMILIES: &str = "WITH live AS (SELECT id, access_expires_at, \
     log_head.position + ROW_NUMBER() OVER (ORDER BY id) AS position FROM log_head, families \
     WHERE id = ANY(CAST($1 AS BYTEA[])) AND ended IS NULL), \
     denied AS (INSERT INTO change_log (position, kind, id, leaves_at) \
     SELECT position, 2, id, access_expires_at FROM live \
     ON CONFLICT (kind, id) DO UPDATE SET position = excluded.position, leaves_at = \
     CASE WHEN change_log.leaves_at < excluded.leaves_at OR excluded.leaves_at IS NULL \
     THEN excluded.leaves_at ELSE change_log.leaves_at END), \
     now_ended AS (UPDATE families SET ended = (SELECT position FROM live WHERE live.id = families.id) \
     WHERE id = ANY(ARRAY(SELECT id FROM live))), \
     advanced AS (UPDATE log_head SET position = position + (SELECT COUNT(*) FROM live)) \
     SELECT id, position FROM live UNION ALL \
     SELECT id, ended FROM families WHERE id = ANY($1) AND ended IS NOT NULL";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[DENY_TOKENS, END_FAMILIES];

/// Denies each token that is asked for, unless it is denied, and keeps the answers.
pub(crate) async fn deny_tokens(db: &Connection, requests: &mut [Pending]) -> Result<()> {
    let mut asked = HashMap::new();
    for pending in &*requests {
        if let Request::Token { id, leaves_at, .. } = &pending.request {
            asked.entry(*id.as_bytes()).or_insert(columns::from_expiry(*leaves_at));
        }
    }
    let (ids, ends): (Vec<_>, Vec<_>) =
        asked.iter().map(|(id, leaves_at)| (id.as_slice(), *leaves_at)).unzip();
    let positions = positions(&db.query(DENY_TOKENS, &[&ids, &ends]).await?)?;
    for pending in requests {
        if let Request::Token { id, answer, .. } = &mut pending.request {
            let denied = positions.get(id.as_bytes()).copied();
            let missing = || store_error(&Error::Unreadable("a denial was not stored".to_owned()));
            answer.keep(denied.ok_or_else(missing));
        }
    }
    Ok(())
}

/// Ends each family that is asked for, unless it has ended, and keeps the answers.
pub(crate) async fn end_families(db: &Connection, requests: &mut [Pending]) -> Result<()> {
    let mut ids = BTreeSet::new();
    for pending in &*requests {
        if let Request::Family { id, .. } = &pending.request {
            ids.insert(id.as_bytes().as_slice());
        }
    }
    let ids: Vec<_> = ids.into_iter().map(<[u8]>::to_vec).collect();
    let positions = positions(&db.query(END_FAMILIES, &[&ids]).await?)?;
    for pending in requests {
        if let Request::Family { id, answer } = &mut pending.request {
            answer.keep(Ok(positions.get(id.as_bytes()).copied()));
        }
    }
    Ok(())
}

/// The positions by id; rows without one are about what was not stored before.
fn positions(rows: &[Row]) -> Result<HashMap<[u8; 16], Appended>> {
    let mut positions = HashMap::with_capacity(rows.len());
    for row in rows {
        if columns::value::<Option<i64>>(row, 1)?.is_some() {
            let position = Appended::danger_committed(columns::position(row, 1)?);
            positions.insert(columns::bytes(row, 0)?, position);
        }
    }
    Ok(positions)
}
