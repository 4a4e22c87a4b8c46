#variable_conflict use_column
DECLARE
    migrate_place tid;
    migrate_same boolean;
BEGIN
    FOR migrate_place IN SELECT ctid FROM :table LOOP
        BEGIN
            SELECT :same INTO migrate_same FROM :table WHERE ctid = migrate_place;
        EXCEPTION WHEN data_exception OR invalid_regular_expression THEN
            migrate_same := false;
        END;
        IF NOT migrate_same THEN
            INSERT INTO pg_temp.migrate_differing SELECT :label FROM :table WHERE ctid = migrate_place;
        END IF;
    END LOOP;
END
