-- URLs of customers' back ends have secrets in them: they are encrypted as keys are. `callback_url`, and the
-- `url` in `remote`, are empty from here on: whoever opens the store moves what an older one left there.
ALTER TABLE accounts ADD COLUMN callback_target BYTEA;
ALTER TABLE accounts ADD COLUMN remote_target BYTEA;

-- Numbers of accounts that were removed: their history is still there, and is nobody else's.
CREATE TABLE retired (
    bizid   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    removed BIGINT           NOT NULL
);
