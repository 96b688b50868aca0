-- sealing_from: the position from which on it seals, sealing_since: when that was; NULL: it waits. Retired: nothing is wrapped.
ALTER TABLE sealing_keys ADD COLUMN sealing_from INTEGER;
ALTER TABLE sealing_keys ADD COLUMN sealing_since INTEGER;

-- Until now there was one key, which has sealed from the beginning.
UPDATE sealing_keys SET sealing_from = 0, sealing_since = created_at;
