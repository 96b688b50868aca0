-- The latest moment at which a row was deleted because its time was over, in seconds since the epoch.
ALTER TABLE log_head ADD COLUMN swept_through INTEGER NOT NULL DEFAULT 0;
