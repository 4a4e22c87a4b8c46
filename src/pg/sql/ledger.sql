-- The ledger, version 1: what is done, kept beside the data that it speaks of. `:ledger` is its schema.
CREATE TABLE :ledger.ledger (
    version int NOT NULL
);
INSERT INTO :ledger.ledger VALUES (1);

CREATE TABLE :ledger.run (
    run         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mapping     text NOT NULL,              -- the mapping's name
    owner       text NOT NULL,              -- natural key by which the owner is known; empty without one
    tool        text NOT NULL,              -- version of the tool
    state       text NOT NULL CHECK (state IN ('Running', 'Done', 'RolledBack')),
    epoch       int NOT NULL DEFAULT 1,     -- raised when a run is taken over; fences off the lanes of before
    seed        bigint NOT NULL,            -- of the row hashes
    stamp       text NOT NULL,              -- what the source is recognised by
    catalog     text NOT NULL,              -- hash of the target's tables that the loads go to
    read_ahead  boolean NOT NULL,           -- everything was read and converted before anything was written
    judged      jsonb NOT NULL,             -- decided once: now, which tables held rows, what `when` said
    started_at  timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz
);
CREATE UNIQUE INDEX run_identity ON :ledger.run (mapping, owner) WHERE state <> 'RolledBack';

CREATE TABLE :ledger.backend (
    run      bigint NOT NULL REFERENCES :ledger.run,
    epoch    int NOT NULL,
    pid      int NOT NULL,                  -- the server's processes that worked for the run
    started  timestamptz NOT NULL,
    PRIMARY KEY (run, pid, started)
);

CREATE TABLE :ledger.load (
    run   bigint NOT NULL REFERENCES :ledger.run,
    load  text NOT NULL,
    plan  text NOT NULL,                    -- hash of what the load does
    PRIMARY KEY (run, load)
);

CREATE TABLE :ledger.part (
    run         bigint NOT NULL REFERENCES :ledger.run,
    load        text NOT NULL,
    part        int NOT NULL,
    after_key   text,                       -- exclusive; none: from the start
    until_key   text,                       -- inclusive; none: to the end
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
    digest     bytea,                       -- 256 sums of 16 bytes
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
    fault  jsonb NOT NULL                   -- where and why, never a value
);

CREATE TABLE :ledger.deviation (                   -- rows of a batch that are not on the target as the source alone says
    run     bigint NOT NULL REFERENCES :ledger.run,
    load    text NOT NULL,
    part    int NOT NULL,
    batch   int NOT NULL,
    at      text NOT NULL,                  -- the row's place in the source
    orphan  text                            -- the column in which `if_orphan` stands; none: the row was skipped
);

CREATE TABLE :ledger.made (
    run     bigint NOT NULL REFERENCES :ledger.run,
    kind    text NOT NULL,                  -- owner, sequence, lookup
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
    back_sql    text[] NOT NULL,            -- what puts it back, step by step
    steps       int NOT NULL DEFAULT 0,     -- how many of them are done
    shape       jsonb NOT NULL,             -- what the catalogue said of it
    back        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (run, no)
);
