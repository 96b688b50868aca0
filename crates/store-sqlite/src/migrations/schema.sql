CREATE TABLE assertions (
    hash BLOB NOT NULL PRIMARY KEY,
    leaves_at INTEGER NOT NULL
) STRICT;

CREATE TABLE change_log (
    position INTEGER NOT NULL PRIMARY KEY,
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    leaves_at INTEGER,
    UNIQUE (kind, id)
) STRICT;

CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    secret BLOB,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    grants TEXT NOT NULL,
    default_scopes TEXT NOT NULL,
    optional_scopes TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    access_lifetime_secs INTEGER NOT NULL,
    refresh_lifetime_secs INTEGER NOT NULL,
    may_introspect INTEGER NOT NULL CHECK (may_introspect IN (0, 1)),
    single_family INTEGER NOT NULL CHECK (single_family IN (0, 1)),
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
, settings TEXT NOT NULL DEFAULT '{}', sealed_secret BLOB) STRICT;

CREATE TABLE codes (
    hash BLOB NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (id),
    subject BLOB NOT NULL REFERENCES users (id),
    session BLOB NOT NULL,
    details TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    position INTEGER NOT NULL,
    family BLOB,
    redeemed_at INTEGER,
    leaves_at INTEGER
) STRICT;

CREATE TABLE consents (
    subject BLOB NOT NULL REFERENCES users (id),
    client_id TEXT NOT NULL REFERENCES clients (id),
    scopes TEXT NOT NULL,
    given_at INTEGER NOT NULL,
    PRIMARY KEY (subject, client_id)
) STRICT;

CREATE TABLE families (
    id BLOB NOT NULL PRIMARY KEY,
    lineage BLOB NOT NULL UNIQUE,
    client_id TEXT NOT NULL REFERENCES clients (id),
    subject BLOB NOT NULL REFERENCES users (id),
    scopes TEXT NOT NULL,
    current_hash BLOB NOT NULL,
    previous_hash BLOB,
    sealed_answer BLOB,
    rotated_at INTEGER,
    issued_at INTEGER NOT NULL,
    refresh_expires_at INTEGER,
    access_expires_at INTEGER,
    leaves_at INTEGER,
    ended INTEGER
, session BLOB, details TEXT NOT NULL DEFAULT '') STRICT;

CREATE TABLE "keys" (
    id BLOB NOT NULL PRIMARY KEY,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
, promoted_position INTEGER, promoted_at INTEGER, kind INTEGER NOT NULL DEFAULT 1) STRICT;

CREATE TABLE log_head (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL
, swept_through INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE logout_notices (
    client_id TEXT NOT NULL REFERENCES clients (id),
    session BLOB NOT NULL,
    subject BLOB NOT NULL REFERENCES users (id),
    details TEXT NOT NULL,
    ended_at INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    failure TEXT,
    leaves_at INTEGER NOT NULL,
    PRIMARY KEY (client_id, session)
) STRICT;

CREATE TABLE migrations (
    number INTEGER NOT NULL PRIMARY KEY,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE nodes (
    id BLOB NOT NULL PRIMARY KEY,
    applied INTEGER NOT NULL,
    lease_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE pushed_requests (
    hash BLOB NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (id),
    params TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    leaves_at INTEGER NOT NULL
) STRICT;

CREATE TABLE session_clients (
    session BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES clients (id),
    details TEXT NOT NULL,
    PRIMARY KEY (session, client_id)
) STRICT;

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL UNIQUE,
    subject BLOB NOT NULL REFERENCES users (id),
    authenticated_at INTEGER NOT NULL,
    methods TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    idle_ends_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    user_agent TEXT NOT NULL,
    source TEXT NOT NULL,
    position INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    email TEXT,
    password TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
, profile TEXT NOT NULL DEFAULT '{}') STRICT;

CREATE INDEX assertions_leaves_at ON assertions (leaves_at);

CREATE INDEX change_log_leaves_at ON change_log (leaves_at) WHERE leaves_at IS NOT NULL;

CREATE INDEX codes_client ON codes (client_id) WHERE family IS NULL;

CREATE INDEX codes_leaves_at ON codes (leaves_at) WHERE leaves_at IS NOT NULL;

CREATE INDEX codes_session ON codes (session) WHERE family IS NULL;

CREATE INDEX codes_subject ON codes (subject, client_id) WHERE family IS NULL;

CREATE INDEX consents_client ON consents (client_id);

CREATE INDEX families_client ON families (client_id) WHERE ended IS NULL;

CREATE INDEX families_leaves_at ON families (leaves_at) WHERE leaves_at IS NOT NULL;

CREATE INDEX families_session ON families (session) WHERE ended IS NULL AND session IS NOT NULL;

CREATE INDEX families_subject ON families (subject, client_id) WHERE ended IS NULL;

CREATE INDEX logout_notices_due_at ON logout_notices (client_id, due_at);

CREATE INDEX logout_notices_leaves_at ON logout_notices (leaves_at);

CREATE INDEX pushed_requests_client_id ON pushed_requests (client_id);

CREATE INDEX pushed_requests_leaves_at ON pushed_requests (leaves_at);

CREATE INDEX sessions_ends_at ON sessions (ends_at);

CREATE INDEX sessions_subject ON sessions (subject);
