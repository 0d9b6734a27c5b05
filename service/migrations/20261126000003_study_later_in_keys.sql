-- migrate:up

-- What tells two keys apart comes first: it is compared sooner than the name of a study, which is
-- mostly the same. The keys hold the study still, so the tables can be partitioned by it.
alter table record.event_tag drop constraint event_tag_pkey;
alter table record.event_tag add primary key (tag, study, position);
drop index record.event_command;
create unique index event_command on record.event (command_id, study)
    where command_digest is not null;

-- migrate:down
drop index record.event_command;
create unique index event_command on record.event (study, command_id)
    where command_digest is not null;
alter table record.event_tag drop constraint event_tag_pkey;
alter table record.event_tag add primary key (study, tag, position);
