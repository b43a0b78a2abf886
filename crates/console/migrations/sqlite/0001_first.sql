-- What the console remembers. Moments are UNIX seconds, or milliseconds where the name says so.
-- Columns of type BLOB are encrypted, and bound to their table, column and row, but for hashes.
-- The same step for PostgreSQL has the same tables and columns: a backup fits both.

-- What there is one of: the check of the key file.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The last number given to a delivery, a token, an audit row. A number has to be known before its
-- row is encrypted, and never comes back; whoever took one holds the row until he is done, so the
-- order of numbers is the order in which they can be seen.
-- `first-user` counts nothing: it is held by whoever makes the first user.
CREATE TABLE counters (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters VALUES ('delivery', 0), ('token', 0), ('audit', 0), ('first-user', 0);

-- Customers. What is a list or only read as a whole is JSON.
CREATE TABLE accounts (
    bizid           TEXT    NOT NULL PRIMARY KEY,
    name            TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    category        TEXT    NOT NULL,
    service         INTEGER NOT NULL,
    live_pusher     INTEGER NOT NULL,
    live_player     INTEGER NOT NULL,
    profile         TEXT    NOT NULL,
    udp             INTEGER NOT NULL,
    udp_viewers_max INTEGER NOT NULL,
    api_key         BLOB    NOT NULL,
    old_api         INTEGER NOT NULL,
    addresses       TEXT    NOT NULL,
    referers        TEXT    NOT NULL,
    callback_url    TEXT,
    callback_key    BLOB    NOT NULL,
    callback_anomalies INTEGER NOT NULL,
    remote          TEXT    NOT NULL,
    revoked_before  INTEGER,
    revoked_streams TEXT    NOT NULL,
    created         INTEGER NOT NULL,
    version         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE domains (
    account    TEXT    NOT NULL REFERENCES accounts ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    action     TEXT    NOT NULL,
    host       TEXT,
    main       BLOB    NOT NULL,
    backup     BLOB,
    auth       INTEGER NOT NULL,
    validity_s INTEGER NOT NULL,
    schemes    TEXT    NOT NULL,
    rotated    INTEGER NOT NULL,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

-- People. Their account may be one that only the configuration has: nothing refers to it.
CREATE TABLE users (
    login         TEXT    NOT NULL PRIMARY KEY,
    password_hash BLOB    NOT NULL,
    role          TEXT    NOT NULL,
    account       TEXT,
    created       INTEGER NOT NULL,
    last_login    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    hash    BLOB    NOT NULL PRIMARY KEY,
    login   TEXT    NOT NULL REFERENCES users ON DELETE CASCADE,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_login ON sessions (login);
CREATE INDEX sessions_by_expires ON sessions (expires);

CREATE TABLE tokens (
    id        INTEGER NOT NULL PRIMARY KEY,
    hash      BLOB    NOT NULL UNIQUE,
    name      TEXT    NOT NULL,
    role      TEXT    NOT NULL,
    account   TEXT,
    created   INTEGER NOT NULL,
    expires   INTEGER,
    last_used INTEGER
) STRICT;

CREATE TABLE forbids (
    account TEXT    NOT NULL,
    app     TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    until   INTEGER NOT NULL,
    reason  TEXT    NOT NULL,
    PRIMARY KEY (account, app, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX forbids_by_until ON forbids (until);

-- History. It outlives its account.
CREATE TABLE publications (
    sequence TEXT    NOT NULL PRIMARY KEY,
    account  TEXT    NOT NULL,
    app      TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    peer     TEXT    NOT NULL,
    host     TEXT    NOT NULL,
    agent    TEXT    NOT NULL,
    protocol TEXT    NOT NULL,
    params   BLOB    NOT NULL,
    began_ms INTEGER NOT NULL,
    -- The rest is NULL until it ends.
    ended_ms INTEGER,
    errcode  INTEGER,
    cause    TEXT,
    bytes_in INTEGER
) STRICT;
-- The sequence settles the order of those of one moment, so that no page has what another had.
CREATE INDEX publications_by_began ON publications (began_ms, sequence);
CREATE INDEX publications_of_account ON publications (account, began_ms, sequence);
CREATE INDEX publications_of_stream ON publications (account, app, name, began_ms, sequence);
-- Those that are open have no end; those to forget have an old one.
CREATE INDEX publications_by_end ON publications (ended_ms, began_ms, sequence);

CREATE TABLE deliveries (
    id      INTEGER NOT NULL PRIMARY KEY,
    account TEXT    NOT NULL,
    event   INTEGER NOT NULL,
    stream  TEXT    NOT NULL,
    body    BLOB    NOT NULL,
    state   TEXT    NOT NULL,
    tries   INTEGER NOT NULL,
    due_ms  INTEGER NOT NULL,
    outcome TEXT    NOT NULL,
    made_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX deliveries_of_account ON deliveries (account, id);
CREATE INDEX deliveries_of_state ON deliveries (state, id);
-- Also the queue: the oldest that waits, of each account.
CREATE INDEX deliveries_of_both ON deliveries (state, account, id);
CREATE INDEX deliveries_by_made ON deliveries (made_ms);

-- Counts of a stream's minute.
CREATE TABLE minutes (
    account     TEXT    NOT NULL,
    app         TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    bytes_in    INTEGER NOT NULL,
    bytes_out   INTEGER NOT NULL,
    viewers_max INTEGER NOT NULL,
    live_s      INTEGER NOT NULL,
    PRIMARY KEY (account, app, name, at)
) STRICT, WITHOUT ROWID;
-- To sum up, and to forget.
CREATE INDEX minutes_by_at ON minutes (at, account);

-- Their sums, made anew with each change: a graph of all streams reads a row a minute, not thousands.
CREATE TABLE minutes_of_account (
    account   TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    bytes_in  INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    viewers   INTEGER NOT NULL,
    streams   INTEGER NOT NULL,
    PRIMARY KEY (account, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX minutes_of_account_by_at ON minutes_of_account (at);

CREATE TABLE minutes_of_all (
    at        INTEGER NOT NULL PRIMARY KEY,
    bytes_in  INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    viewers   INTEGER NOT NULL,
    streams   INTEGER NOT NULL
) STRICT;

-- From when to when counts could not be stored.
CREATE TABLE gaps (
    from_s INTEGER NOT NULL,
    to_s   INTEGER NOT NULL,
    PRIMARY KEY (from_s, to_s)
) STRICT, WITHOUT ROWID;
CREATE INDEX gaps_by_end ON gaps (to_s);

CREATE TABLE audits (
    id      INTEGER NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    peer    TEXT    NOT NULL,
    account TEXT,
    what    TEXT    NOT NULL,
    detail  TEXT    NOT NULL
) STRICT;
CREATE INDEX audits_of_account ON audits (account, id);
CREATE INDEX audits_by_at ON audits (at);

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
