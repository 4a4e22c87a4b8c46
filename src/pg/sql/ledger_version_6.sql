-- What version 6 of the ledger has and version 5 has not. ledger_check.sql lists the same columns with `since` = 6.
--
-- `omitted`: everything of a member that is not in the target as its file has it: losses and lookups by load, rows that stay in the
-- file, texts that SQLite misreads.
-- `position`: the place of the next batch of a member whose file is written in several transactions; NULL before the first one and
-- after the last one. `rows`, `omitted`, `stamp`, `owner_key` and `made` then have what these batches brought. `:ledger` is the
-- ledger's schema.
ALTER TABLE :ledger.member ADD COLUMN IF NOT EXISTS omitted jsonb;
ALTER TABLE :ledger.member ADD COLUMN IF NOT EXISTS position jsonb;
