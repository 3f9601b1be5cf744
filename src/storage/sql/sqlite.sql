CREATE TABLE IF NOT EXISTS sessions (
    id BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    owner BLOB,
    created INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_owner ON sessions (owner, id) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS sessions_expires ON sessions (expires);
CREATE TABLE IF NOT EXISTS sessions_owners (
    owner BLOB PRIMARY KEY,
    generation INTEGER NOT NULL,
    last_used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_owners_last_used ON sessions_owners (last_used);
