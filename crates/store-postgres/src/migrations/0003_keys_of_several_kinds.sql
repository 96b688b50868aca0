-- kind: 1 seals access tokens, 2 signs with ES256, 3 with RS256 and PS256, 4 with EdDSA. promoted_position, promoted_at: from where
-- and since when it is the one of its kind that seals or signs; NULL: it waits.
ALTER TABLE sealing_keys RENAME TO keys;
ALTER INDEX sealing_keys_pkey RENAME TO keys_pkey;
ALTER TABLE keys RENAME COLUMN sealing_from TO promoted_position;
ALTER TABLE keys RENAME COLUMN sealing_since TO promoted_at;
ALTER TABLE keys ADD COLUMN kind BIGINT NOT NULL DEFAULT 1;
