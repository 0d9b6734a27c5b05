-- migrate:up

-- These tables only grow: VACUUM has nothing to give back in them, so it may be slow and leave the
-- processor to the appends (in milliseconds of rest for each portion of its work).
alter table record.event set (autovacuum_vacuum_cost_delay = 20);
alter table record.event_tag set (autovacuum_vacuum_cost_delay = 20);

-- Nor does anything plan by what is in these columns, of which ANALYZE would sort samples.
alter table record.event
    alter column event_id set statistics 0,
    alter column command_digest set statistics 0,
    alter column tags set statistics 0,
    alter column envelope set statistics 0,
    alter column payload set statistics 0,
    alter column sealed set statistics 0,
    alter column salt set statistics 0,
    alter column leaf set statistics 0;

-- migrate:down
alter table record.event
    alter column event_id set statistics -1,
    alter column command_digest set statistics -1,
    alter column tags set statistics -1,
    alter column envelope set statistics -1,
    alter column payload set statistics -1,
    alter column sealed set statistics -1,
    alter column salt set statistics -1,
    alter column leaf set statistics -1;
alter table record.event_tag reset (autovacuum_vacuum_cost_delay);
alter table record.event reset (autovacuum_vacuum_cost_delay);
