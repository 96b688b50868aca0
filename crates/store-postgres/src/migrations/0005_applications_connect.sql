-- sealed_secret: the secret of a client that signs with it, under the master key; NULL for the others.
ALTER TABLE clients ADD COLUMN sealed_secret BYTEA;

-- What may be used once, and was: the ids of assertions with which clients have authenticated (RFC 7523 §3). hash: of the client
-- and the id.
CREATE TABLE assertions (
    hash BYTEA NOT NULL PRIMARY KEY,
    leaves_at BIGINT NOT NULL
);

CREATE INDEX assertions_leaves_at ON assertions (leaves_at);

-- Authorization requests that clients have pushed (RFC 9126). hash: of what request_uri says. params: form-encoded. leaves_at:
-- when nobody who began before expires_at can still be on the way.
CREATE TABLE pushed_requests (
    hash BYTEA NOT NULL PRIMARY KEY,
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id),
    params TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    leaves_at BIGINT NOT NULL
);

CREATE INDEX pushed_requests_client_id ON pushed_requests (client_id);
CREATE INDEX pushed_requests_leaves_at ON pushed_requests (leaves_at);

-- The clients to which a session has brought its person, and that are told when it ends. details: what they are told beside, in a
-- form of the protocol's own.
CREATE TABLE session_clients (
    session BYTEA NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id),
    details TEXT NOT NULL,
    PRIMARY KEY (session, client_id)
);

-- Clients to be told that a session has ended (OpenID Connect Back-Channel Logout). due_at: when it is tried next. failure: why the
-- last try was none; NULL before there was one. leaves_at: when it is given up.
CREATE TABLE logout_notices (
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id),
    session BYTEA NOT NULL,
    subject BYTEA NOT NULL REFERENCES users (id),
    details TEXT NOT NULL,
    ended_at BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    failure TEXT,
    leaves_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, session)
);

CREATE INDEX logout_notices_due_at ON logout_notices (client_id, due_at);
CREATE INDEX logout_notices_leaves_at ON logout_notices (leaves_at);
