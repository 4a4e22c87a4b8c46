-- The ledger, version 6: what is done, kept next to the data that it describes. `:ledger` is its schema. Versions 1 and 2 have
-- the same tables. ledger_version_3.sql to _6.sql add what these versions have in addition. Fingerprints of
-- version 1 have form 1. ledger_check.sql lists every column with the version from which on it exists.
CREATE TABLE :ledger.ledger (
    version int NOT NULL
);
INSERT INTO :ledger.ledger VALUES (6);

CREATE TABLE :ledger.run (
    run         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mapping     text NOT NULL,              -- the mapping's name
    owner       text NOT NULL,              -- natural key of the owner; empty without an owner
    tool        text NOT NULL,              -- version of the tool that began the run
    state       text NOT NULL CHECK (state IN ('Running', 'Done', 'RolledBack')),
    epoch       int NOT NULL DEFAULT 1,     -- raised at every resume; rejects late writes of the previous process
    seed        bigint NOT NULL,            -- seed of the row hashes
    stamp       text NOT NULL,              -- identifies the source
    catalog     text NOT NULL,              -- fingerprint of the loaded tables; its first line is its form, unless the form is 1
    read_ahead  boolean NOT NULL,           -- every row was read before the first write, and none is faulty
    judged      jsonb NOT NULL,             -- decided once: the start, tables that held rows, `when_empty`
    started_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz
);
CREATE UNIQUE INDEX run_identity ON :ledger.run (mapping, owner) WHERE state <> 'RolledBack';

CREATE TABLE :ledger.backend (
    run      bigint NOT NULL REFERENCES :ledger.run,
    epoch    int NOT NULL,
    pid      int NOT NULL,                  -- a process of the server that worked for the run
    started  timestamptz NOT NULL,
    PRIMARY KEY (run, pid, started)
);

CREATE TABLE :ledger.load (
    run   bigint NOT NULL REFERENCES :ledger.run,
    load  text NOT NULL,
    plan  text NOT NULL,                    -- fingerprint of the load
    PRIMARY KEY (run, load)
);

CREATE TABLE :ledger.part (
    run         bigint NOT NULL REFERENCES :ledger.run,
    load        text NOT NULL,
    part        int NOT NULL,
    after_key   text,                       -- exclusive; NULL: from the first row
    until_key   text,                       -- inclusive; NULL: to the last row
    done        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run, load, part)
);

CREATE TABLE :ledger.batch (
    run        bigint NOT NULL REFERENCES :ledger.run,
    load       text NOT NULL,
    part       int NOT NULL,
    batch      int NOT NULL,
    first_key  text,
    last_key   text,
    read       bigint NOT NULL DEFAULT 0,
    written    bigint NOT NULL DEFAULT 0,
    skipped    bigint NOT NULL DEFAULT 0,
    faults     bigint NOT NULL DEFAULT 0,
    digest     bytea,                       -- 256 sums of 16 bytes; 256 more of the rows as the server returned them, if read back
    issued     bigint[],                    -- ids drawn for the rows, row by row
    losses     jsonb,
    lookups    jsonb,                       -- by column: hits of each step, ambiguous, missing
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run, load, part, batch)
);

CREATE TABLE :ledger.fault (
    run    bigint NOT NULL REFERENCES :ledger.run,
    load   text NOT NULL,
    part   int NOT NULL,
    batch  int NOT NULL,
    fault  jsonb NOT NULL                   -- place and reason, never a value
);

CREATE TABLE :ledger.deviation (                   -- rows whose content on the target does not follow from the source alone
    run     bigint NOT NULL REFERENCES :ledger.run,
    load    text NOT NULL,
    part    int NOT NULL,
    batch   int NOT NULL,
    at      text NOT NULL,                  -- the row's place in the source
    orphan  text                            -- the column that holds the value of `if_orphan`; NULL: the row was skipped
);

CREATE TABLE :ledger.made (
    run     bigint NOT NULL REFERENCES :ledger.run,
    kind    text NOT NULL,                  -- owner, sequence, lookup, replaced
    object  text NOT NULL,
    was     text,
    became  text,
    PRIMARY KEY (run, kind, object)
);

CREATE TABLE :ledger.detached (
    run         bigint NOT NULL REFERENCES :ledger.run,
    no          int NOT NULL,
    table_name  text NOT NULL,
    object      text NOT NULL,
    kind        text NOT NULL,              -- trigger, foreign, index, unique, primary
    back_sql    text[] NOT NULL,            -- the statements that reattach it
    steps       int NOT NULL DEFAULT 0,     -- number of statements that are done
    shape       jsonb NOT NULL,             -- its definition in the catalogue
    back        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run, no)
);
