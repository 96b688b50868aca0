-- position: the last that was given. timeline: of the server that gave it. swept_through: the latest moment at which a
-- row was deleted because its time was over, in seconds since the epoch.
CREATE TABLE log_head (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    position BIGINT NOT NULL,
    timeline BIGINT NOT NULL,
    swept_through BIGINT NOT NULL
) WITH (fillfactor = 10);

INSERT INTO log_head (one, position, timeline, swept_through) VALUES (1, 0, 0, 0);

-- kept_to: the newest entry that was there when the log was first written on this timeline of the server.
CREATE TABLE timelines (
    timeline BIGINT NOT NULL PRIMARY KEY,
    kept_to BIGINT NOT NULL
);

-- kind: 1 token, 2 family, 3 subject, 4 client, 5 everything (denials); 6 client, 7 sealing key (states).
-- leaves_at: NULL stays.
CREATE TABLE change_log (
    position BIGINT NOT NULL PRIMARY KEY,
    kind BIGINT NOT NULL,
    id BYTEA NOT NULL,
    leaves_at BIGINT,
    UNIQUE (kind, id)
);

CREATE INDEX change_log_leaves_at ON change_log (leaves_at) WHERE leaves_at IS NOT NULL;

-- secret: NULL for a public client. Lifetimes in seconds, 0 never expires. Lists are blank-separated.
CREATE TABLE clients (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    secret BYTEA,
    enabled BOOLEAN NOT NULL,
    grants TEXT NOT NULL,
    default_scopes TEXT NOT NULL,
    optional_scopes TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    access_lifetime_secs BIGINT NOT NULL,
    refresh_lifetime_secs BIGINT NOT NULL,
    may_introspect BOOLEAN NOT NULL,
    single_family BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);

-- A tombstone has no email and an empty password.
CREATE TABLE users (
    id BYTEA NOT NULL PRIMARY KEY,
    username TEXT COLLATE "C" NOT NULL UNIQUE,
    email TEXT,
    password TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);

-- access_expires_at: of the longest-lived access token it gave. leaves_at: the later of both expiries. NULL is never.
CREATE TABLE families (
    id BYTEA NOT NULL PRIMARY KEY,
    lineage BYTEA NOT NULL UNIQUE,
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id),
    subject BYTEA NOT NULL REFERENCES users (id),
    scopes TEXT NOT NULL,
    current_hash BYTEA NOT NULL,
    previous_hash BYTEA,
    sealed_answer BYTEA,
    rotated_at BIGINT,
    issued_at BIGINT NOT NULL,
    refresh_expires_at BIGINT,
    access_expires_at BIGINT,
    leaves_at BIGINT,
    ended BIGINT
);

CREATE INDEX families_client ON families (client_id) WHERE ended IS NULL;
CREATE INDEX families_subject ON families (subject, client_id) WHERE ended IS NULL;
CREATE INDEX families_leaves_at ON families (leaves_at) WHERE leaves_at IS NOT NULL;

CREATE TABLE sealing_keys (
    id BYTEA NOT NULL PRIMARY KEY,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);

-- renewals: grows with each renewal of this node, and is never the same twice.
CREATE TABLE nodes (
    id BYTEA NOT NULL PRIMARY KEY,
    applied BIGINT NOT NULL,
    lease_ms BIGINT NOT NULL,
    renewals BIGINT NOT NULL
) WITH (fillfactor = 50);
