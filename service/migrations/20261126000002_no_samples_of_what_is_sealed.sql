-- migrate:up

-- ANALYZE, which autovacuum does by itself, copies samples of a column into pg_statistic, where they
-- would outlive what was erased. Nothing plans by these two: appends and reads go by the index.
alter table record.sealed_part alter column blob set statistics 0;
alter table record.sealed_word alter column word set statistics 0;

-- migrate:down
alter table record.sealed_word alter column word set statistics -1;
alter table record.sealed_part alter column blob set statistics -1;
