CREATE TABLE IF NOT EXISTS sessions (
    id BYTEA PRIMARY KEY,
    version BIGINT NOT NULL,
    owner BYTEA,
    created BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    payload BYTEA NOT NULL
);
CREATE INDEX IF NOT EXISTS sessions_owner ON sessions (owner, id) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS sessions_expires ON sessions (expires);
CREATE TABLE IF NOT EXISTS sessions_owners (
    owner BYTEA PRIMARY KEY,
    generation BIGINT NOT NULL,
    last_used BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS sessions_owners_last_used ON sessions_owners (last_used);
