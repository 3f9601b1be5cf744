CREATE TABLE IF NOT EXISTS sessions (
    id BINARY(32) PRIMARY KEY,
    version BIGINT NOT NULL,
    owner BINARY(32),
    created BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    payload LONGBLOB NOT NULL,
    INDEX sessions_owner (owner, id),
    INDEX sessions_expires (expires)
) ENGINE = InnoDB;
CREATE TABLE IF NOT EXISTS sessions_owners (
    owner BINARY(32) PRIMARY KEY,
    generation BIGINT NOT NULL,
    last_used BIGINT NOT NULL,
    INDEX sessions_owners_last_used (last_used)
) ENGINE = InnoDB;
