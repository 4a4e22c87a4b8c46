-- What version 3 of the ledger has and versions 1 and 2 have not. A new ledger is ledger.sql followed by the files of
-- the versions from 3 on. ledger_check.sql lists the same columns with `since` = 3.
--
-- The rows that the target held before a run and that the run removed or wrote over, as they were. A value is the text that the
-- server prints for it under the settings of this program's sessions. `:ledger` is the ledger's schema.
CREATE TABLE IF NOT EXISTS :ledger.kept (
    run         bigint NOT NULL REFERENCES :ledger.run,
    table_name  text NOT NULL,
    was         json NOT NULL,              -- by column: the previous value as text
    became      json                        -- by column: the value that was written over it; NULL: the row was removed
);
CREATE INDEX IF NOT EXISTS kept_rows ON :ledger.kept (run, table_name);
