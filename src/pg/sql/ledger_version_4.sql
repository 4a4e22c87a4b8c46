-- What version 4 of the ledger has and version 3 has not. ledger_check.sql lists the same columns with `since` = 4.
--
-- The objects that `--create` made in the target before the run of a mapping began, in the transaction that made them. A rollback
-- drops them if they are unchanged. `:ledger` is the ledger's schema.
CREATE TABLE IF NOT EXISTS :ledger.created (
    mapping      text NOT NULL,
    owner        text NOT NULL,
    kind         text NOT NULL,             -- view, table, function
    schema_name  text NOT NULL,
    object       text NOT NULL,
    oid          bigint NOT NULL,           -- another object of the same name has another one
    shape        text NOT NULL,             -- a hash of its definition
    PRIMARY KEY (mapping, owner, kind, schema_name, object)
);
