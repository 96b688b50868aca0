-- settings, profile: JSON.
ALTER TABLE clients ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE users ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';

-- session: in which it was authorized; NULL if no browser was. details: what else was authorized, in a form of the protocol's own.
ALTER TABLE families ADD COLUMN session BYTEA;
ALTER TABLE families ADD COLUMN details TEXT NOT NULL DEFAULT '';
CREATE INDEX families_session ON families (session) WHERE ended IS NULL AND session IS NOT NULL;

-- secret: hash of what the cookie holds. position: of the log when the person signed in.
CREATE TABLE sessions (
    id BYTEA NOT NULL PRIMARY KEY,
    secret BYTEA NOT NULL UNIQUE,
    subject BYTEA NOT NULL REFERENCES users (id),
    authenticated_at BIGINT NOT NULL,
    methods TEXT NOT NULL,
    began_at BIGINT NOT NULL,
    idle_ends_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    user_agent TEXT NOT NULL,
    source TEXT NOT NULL,
    position BIGINT NOT NULL
);

CREATE INDEX sessions_subject ON sessions (subject);
CREATE INDEX sessions_ends_at ON sessions (ends_at);

-- family, redeemed_at: NULL until it is redeemed. leaves_at: then that of the family at its beginning; NULL is never. The session
-- and the family may be gone before the code is.
CREATE TABLE codes (
    hash BYTEA NOT NULL PRIMARY KEY,
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id),
    subject BYTEA NOT NULL REFERENCES users (id),
    session BYTEA NOT NULL,
    details TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    position BIGINT NOT NULL,
    family BYTEA,
    redeemed_at BIGINT,
    leaves_at BIGINT
);

CREATE INDEX codes_session ON codes (session) WHERE family IS NULL;
CREATE INDEX codes_subject ON codes (subject, client_id) WHERE family IS NULL;
CREATE INDEX codes_client ON codes (client_id) WHERE family IS NULL;
CREATE INDEX codes_leaves_at ON codes (leaves_at) WHERE leaves_at IS NOT NULL;

CREATE TABLE consents (
    subject BYTEA NOT NULL REFERENCES users (id),
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients (id),
    scopes TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    PRIMARY KEY (subject, client_id)
);

CREATE INDEX consents_client ON consents (client_id);
