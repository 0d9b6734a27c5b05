-- migrate:up

-- The record: append only. The service's role may read and add; it cannot change or take away. What
-- is personal stands apart, sealed, and the eraser's role may take that away, and nothing else.
do $$ begin
    if to_regnamespace('record') is not null then
        raise exception 'This database holds a record of an unreleased version, which sealed nothing: '
            'export each study with the parcycle that wrote it, and import it into an empty database.';
    end if;
end $$;
create schema record;
grant usage on schema record to parcycle_service, parcycle_eraser;

-- One row a study. Its row lock orders the study's appends: every writer takes it first.
create table record.study_head (
    study text primary key,
    position bigint not null default 0,
    recorded_at timestamptz not null default '-infinity'
) with (fillfactor = 50);

create table record.event (
    study text not null,
    position bigint not null,
    event_id uuid not null,
    type text not null,
    schema smallint not null,
    actor text not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    command_id uuid,
    command_digest bytea,
    tags text[] not null,
    envelope bytea not null,
    payload bytea not null,
    sealed text[],         -- the paths of its personal fields, also of those erased; null: none
    salt bytea not null,   -- of the commitment to envelope and payload: see service/sealing/leaves.py
    leaf bytea not null,   -- what the study's tree holds of it, byte for byte
    primary key (study, position)
) with (autovacuum_vacuum_insert_scale_factor = 0.05);

-- A command is answered once: the same id again finds its first answer here.
create unique index event_command on record.event (study, command_id)
    where command_digest is not null;

-- tag: 64 bits of a hash (BLAKE2b) of a tag, or of 't:' and the type. Readers check the tag itself.
create table record.event_tag (
    study text not null,
    tag bigint not null,
    position bigint not null,
    primary key (study, tag, position)
) with (autovacuum_vacuum_insert_scale_factor = 0.05);

-- Personal fields, each sealed under its subjects' keys, apart from the event so that they can be
-- erased: see service/sealing/sealed_fields.py.
create table record.sealed_part (
    study text not null,
    position bigint not null,
    path text not null,
    subjects text[] not null,
    blob bytea not null,
    primary key (study, position, path)
);

-- Blind index of sealed names: keyed hashes of a name and of each of its words.
create table record.sealed_word (
    study text not null,
    word bytea not null,
    position bigint not null,
    path text not null,
    primary key (study, word, position, path)
);

grant select, insert on record.event, record.event_tag, record.sealed_part, record.sealed_word
    to parcycle_service;
grant select, insert, update on record.study_head to parcycle_service;
grant select on record.event to parcycle_eraser;
grant select, delete on record.sealed_part, record.sealed_word to parcycle_eraser;

-- What an append takes: conditions (no event with all these tags and one of these types after this
-- position), drafts of events, and their sealed parts. `n` is an index into the studies of the
-- append, `ordinal` an event's number among those of its study; texts that are lists are parsed only
-- where they are needed.
create type record.condition as (
    request int, n int, after bigint, tag bigint, other_tags text, types text
);
create type record.draft as (
    request int, n int, ordinal int, event_id uuid, type text, schema smallint, actor text,
    occurred_at timestamptz, command_id uuid, command_digest bytea, tags text, tag_hashes bigint[],
    envelope bytea, payload bytea, sealed text, salt bytea, leaf_before text, leaf_after text
);
create type record.draft_part as (n int, ordinal int, path text, subjects text, blob bytea);
create type record.draft_word as (n int, ordinal int, path text, word bytea);

-- Appends what waits in one writer, for any number of studies, all or nothing, in one round trip.
-- The update of a study's head takes its lock; every writer names the studies in the same order.
-- Where a condition is not met, or a command id is on record already, nothing is written, and which
-- requests it was is said in `conflicts` and `repeats`.
create function record.append(
    studies text[], counts int[], conditions record.condition[], drafts record.draft[],
    parts record.draft_part[], words record.draft_word[],
    out heads bigint[], out recorded timestamptz[], out conflicts int[], out repeats int[]
) language plpgsql as $$
declare
    head bigint;
    at timestamptz;
begin
    for n in 1 .. cardinality(studies) loop
        update record.study_head h
        set position = h.position + counts[n], recorded_at = greatest(h.recorded_at, clock_timestamp())
        where h.study = studies[n]
        returning h.position - counts[n], h.recorded_at into strict head, at;
        heads[n] := head;
        recorded[n] := at;
    end loop;

    if cardinality(conditions) > 0 then
        select array_agg(distinct c.request) into conflicts
        from unnest(conditions) c
        where case when c.tag is null then heads[c.n] > c.after else exists (
            select from record.event_tag t
            where t.study = studies[c.n] and t.tag = c.tag and t.position > c.after
            and (c.other_tags is null or not exists (
                select from unnest(c.other_tags::bigint[]) other where not exists (
                    select from record.event_tag o
                    where o.study = studies[c.n] and o.tag = other and o.position = t.position
                )
            ))
            and (c.types is null or exists (
                select from record.event e
                where e.study = studies[c.n] and e.position = t.position
                and e.type = any (string_to_array(c.types, ','))
            ))
        ) end;
    end if;
    select array_agg(d.request) into repeats
    from unnest(drafts) d
    where d.command_digest is not null and exists (
        select from record.event e
        where e.study = studies[d.n] and e.command_id = d.command_id
        and e.command_digest is not null
    );
    if conflicts is not null or repeats is not null then
        update record.study_head h set position = s.position
        from unnest(studies, heads) as s (study, position) where h.study = s.study;
        return;
    end if;

    insert into record.event
    select studies[d.n], heads[d.n] + d.ordinal, d.event_id, d.type, d.schema, d.actor,
        d.occurred_at, recorded[d.n], d.command_id, d.command_digest,
        string_to_array(d.tags, E'\x1f'), d.envelope, d.payload, string_to_array(d.sealed, E'\x1f'),
        d.salt, convert_to(
            d.leaf_before
            || to_char(recorded[d.n] at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            || d.leaf_after, 'UTF8'
        )
    from unnest(drafts) d;
    insert into record.event_tag
    select studies[d.n], unnest(d.tag_hashes), heads[d.n] + d.ordinal from unnest(drafts) d;
    if cardinality(parts) > 0 then
        insert into record.sealed_part
        select studies[p.n], heads[p.n] + p.ordinal, p.path, string_to_array(p.subjects, E'\x1f'),
            p.blob
        from unnest(parts) p;
    end if;
    if cardinality(words) > 0 then
        insert into record.sealed_word
        select studies[w.n], w.word, heads[w.n] + w.ordinal, w.path from unnest(words) w;
    end if;
end $$;

-- Registers (read models): rebuilt at will from the record, so the service owns them.
create schema register authorization parcycle_service;
create schema register_rebuilt authorization parcycle_service;

-- migrate:down
drop schema register_rebuilt cascade;
drop schema register cascade;
drop schema record cascade;
