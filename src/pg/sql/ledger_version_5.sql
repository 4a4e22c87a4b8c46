-- What version 5 of the ledger has and earlier versions have not. ledger_check.sql lists the same columns with `since` = 5.
--
-- A fleet is one run over many files, its members. `:ledger` is the ledger's schema.
CREATE TABLE IF NOT EXISTS :ledger.member (
    run         bigint NOT NULL REFERENCES :ledger.run,
    member      int NOT NULL,
    path        text NOT NULL,              -- the file, as it was named
    owner       jsonb NOT NULL,             -- by name: the values that come with the file
    state       text NOT NULL DEFAULT 'Waiting' CHECK (state IN ('Waiting', 'Taken', 'Done', 'Quarantined', 'Failed', 'Removed')),
    epoch       int NOT NULL DEFAULT 0,     -- raised at each claim; rejects late writes of the worker before
    worker      text,                       -- the last worker that took it
    lease       timestamptz,                -- until then no other worker takes it
    stamp       text,                       -- identifies the source
    owner_key   text,                       -- the key of the owner's row
    made        boolean NOT NULL DEFAULT false,  -- the member made the owner's row
    rows        jsonb,                      -- by table, in the order of writing: number of rows, sum of their hashes, reserved ids
    proved      boolean NOT NULL DEFAULT false,  -- its rows were read back after their commit and are those that were sent
    reason      text,                       -- why it is not done
    millis      bigint NOT NULL DEFAULT 0,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run, member)
);
CREATE UNIQUE INDEX IF NOT EXISTS member_path ON :ledger.member (run, path);
CREATE INDEX IF NOT EXISTS member_open ON :ledger.member (run, member) WHERE state IN ('Waiting', 'Taken');

-- The next id that is free for a member, for each table whose ids are reserved.
CREATE TABLE IF NOT EXISTS :ledger.range (
    run         bigint NOT NULL REFERENCES :ledger.run,
    table_name  text NOT NULL,
    next        bigint NOT NULL,
    PRIMARY KEY (run, table_name)
);
