-- What the console remembers. Moments are UNIX seconds, or milliseconds where the name says so.
-- Columns of type BYTEA are encrypted, and bound to their table, column and row, but for hashes.
-- The same step for SQLite has the same tables and columns: a backup fits both. Text is ordered by its
-- bytes, as there, whatever the language of the database.

-- What there is one of: the check of the key file.
CREATE TABLE meta (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BYTEA            NOT NULL
);

-- The last number given to a delivery, a token, an audit row. A number has to be known before its
-- row is encrypted, and never comes back; whoever took one holds the row until he is done, so the
-- order of numbers is the order in which they can be seen.
-- `first-user` counts nothing: it is held by whoever makes the first user.
CREATE TABLE counters (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BIGINT           NOT NULL
);
INSERT INTO counters VALUES ('delivery', 0), ('token', 0), ('audit', 0), ('first-user', 0);

-- Customers. What is a list or only read as a whole is JSON.
CREATE TABLE accounts (
    bizid              TEXT COLLATE "C"  NOT NULL PRIMARY KEY,
    name               TEXT COLLATE "C"  NOT NULL,
    subject            TEXT COLLATE "C"  NOT NULL,
    category           TEXT COLLATE "C"  NOT NULL,
    service            BIGINT            NOT NULL,
    live_pusher        BIGINT            NOT NULL,
    live_player        BIGINT            NOT NULL,
    profile            TEXT COLLATE "C"  NOT NULL,
    udp                BIGINT            NOT NULL,
    udp_viewers_max    BIGINT            NOT NULL,
    api_key            BYTEA             NOT NULL,
    old_api            BIGINT            NOT NULL,
    addresses          TEXT COLLATE "C"  NOT NULL,
    referers           TEXT COLLATE "C"  NOT NULL,
    callback_url       TEXT COLLATE "C",
    callback_key       BYTEA             NOT NULL,
    callback_anomalies BIGINT            NOT NULL,
    remote             TEXT COLLATE "C"  NOT NULL,
    revoked_before     BIGINT,
    revoked_streams    TEXT COLLATE "C"  NOT NULL,
    created            BIGINT            NOT NULL,
    version            BIGINT            NOT NULL
);

CREATE TABLE domains (
    account    TEXT COLLATE "C"  NOT NULL REFERENCES accounts ON DELETE CASCADE,
    number     BIGINT            NOT NULL,
    action     TEXT COLLATE "C"  NOT NULL,
    host       TEXT COLLATE "C",
    main       BYTEA             NOT NULL,
    backup     BYTEA,
    auth       BIGINT            NOT NULL,
    validity_s BIGINT            NOT NULL,
    schemes    TEXT COLLATE "C"  NOT NULL,
    rotated    BIGINT            NOT NULL,
    PRIMARY KEY (account, number)
);

-- People. Their account may be one that only the configuration has: nothing refers to it.
CREATE TABLE users (
    login         TEXT COLLATE "C"  NOT NULL PRIMARY KEY,
    password_hash BYTEA             NOT NULL,
    role          TEXT COLLATE "C"  NOT NULL,
    account       TEXT COLLATE "C",
    created       BIGINT            NOT NULL,
    last_login    BIGINT
);

CREATE TABLE sessions (
    hash    BYTEA            NOT NULL PRIMARY KEY,
    login   TEXT COLLATE "C" NOT NULL REFERENCES users ON DELETE CASCADE,
    expires BIGINT           NOT NULL
);
CREATE INDEX sessions_of_login ON sessions (login);
CREATE INDEX sessions_by_expires ON sessions (expires);

CREATE TABLE tokens (
    id        BIGINT            NOT NULL PRIMARY KEY,
    hash      BYTEA             NOT NULL UNIQUE,
    name      TEXT COLLATE "C"  NOT NULL,
    role      TEXT COLLATE "C"  NOT NULL,
    account   TEXT COLLATE "C",
    created   BIGINT            NOT NULL,
    expires   BIGINT,
    last_used BIGINT
);

CREATE TABLE forbids (
    account TEXT COLLATE "C" NOT NULL,
    app     TEXT COLLATE "C" NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    until   BIGINT           NOT NULL,
    reason  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, app, name)
);
CREATE INDEX forbids_by_until ON forbids (until);

-- History. It outlives its account.
CREATE TABLE publications (
    sequence TEXT COLLATE "C"  NOT NULL PRIMARY KEY,
    account  TEXT COLLATE "C"  NOT NULL,
    app      TEXT COLLATE "C"  NOT NULL,
    name     TEXT COLLATE "C"  NOT NULL,
    peer     TEXT COLLATE "C"  NOT NULL,
    host     TEXT COLLATE "C"  NOT NULL,
    agent    TEXT COLLATE "C"  NOT NULL,
    protocol TEXT COLLATE "C"  NOT NULL,
    params   BYTEA             NOT NULL,
    began_ms BIGINT            NOT NULL,
    -- The rest is NULL until it ends.
    ended_ms BIGINT,
    errcode  BIGINT,
    cause    TEXT COLLATE "C",
    bytes_in BIGINT
);
-- The sequence settles the order of those of one moment, so that no page has what another had.
CREATE INDEX publications_by_began ON publications (began_ms, sequence);
CREATE INDEX publications_of_account ON publications (account, began_ms, sequence);
CREATE INDEX publications_of_stream ON publications (account, app, name, began_ms, sequence);
-- Those that are open have no end; those to forget have an old one.
CREATE INDEX publications_by_end ON publications (ended_ms, began_ms, sequence);

CREATE TABLE deliveries (
    id      BIGINT           NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    event   BIGINT           NOT NULL,
    stream  TEXT COLLATE "C" NOT NULL,
    body    BYTEA            NOT NULL,
    state   TEXT COLLATE "C" NOT NULL,
    tries   BIGINT           NOT NULL,
    due_ms  BIGINT           NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    made_ms BIGINT           NOT NULL
);
CREATE INDEX deliveries_of_account ON deliveries (account, id);
CREATE INDEX deliveries_of_state ON deliveries (state, id);
-- Also the queue: the oldest that waits, of each account.
CREATE INDEX deliveries_of_both ON deliveries (state, account, id);
CREATE INDEX deliveries_by_made ON deliveries (made_ms);

-- Counts of a stream's minute.
CREATE TABLE minutes (
    account     TEXT COLLATE "C" NOT NULL,
    app         TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    at          BIGINT           NOT NULL,
    bytes_in    BIGINT           NOT NULL,
    bytes_out   BIGINT           NOT NULL,
    viewers_max BIGINT           NOT NULL,
    live_s      BIGINT           NOT NULL,
    PRIMARY KEY (account, app, name, at)
);
-- To sum up, and to forget.
CREATE INDEX minutes_by_at ON minutes (at, account);

-- Their sums, made anew with each change: a graph of all streams reads a row a minute, not thousands.
CREATE TABLE minutes_of_account (
    account   TEXT COLLATE "C" NOT NULL,
    at        BIGINT           NOT NULL,
    bytes_in  BIGINT           NOT NULL,
    bytes_out BIGINT           NOT NULL,
    viewers   BIGINT           NOT NULL,
    streams   BIGINT           NOT NULL,
    PRIMARY KEY (account, at)
);
CREATE INDEX minutes_of_account_by_at ON minutes_of_account (at);

CREATE TABLE minutes_of_all (
    at        BIGINT NOT NULL PRIMARY KEY,
    bytes_in  BIGINT NOT NULL,
    bytes_out BIGINT NOT NULL,
    viewers   BIGINT NOT NULL,
    streams   BIGINT NOT NULL
);

-- From when to when counts could not be stored.
CREATE TABLE gaps (
    from_s BIGINT NOT NULL,
    to_s   BIGINT NOT NULL,
    PRIMARY KEY (from_s, to_s)
);
CREATE INDEX gaps_by_end ON gaps (to_s);

CREATE TABLE audits (
    id      BIGINT            NOT NULL PRIMARY KEY,
    at      BIGINT            NOT NULL,
    who     TEXT COLLATE "C"  NOT NULL,
    peer    TEXT COLLATE "C"  NOT NULL,
    account TEXT COLLATE "C",
    what    TEXT COLLATE "C"  NOT NULL,
    detail  TEXT COLLATE "C"  NOT NULL
);
CREATE INDEX audits_of_account ON audits (account, id);
CREATE INDEX audits_by_at ON audits (at);

CREATE TABLE settings (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    json TEXT COLLATE "C" NOT NULL
);
