-- migrate:up

-- The record: append only. The service's role may read and add; it cannot change or take away.
create schema record;
grant usage on schema record to parcycle_service;

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

-- Personal fields, apart from the public payload so that they can be erased.
create table record.sealed_part (
    study text not null,
    position bigint not null,
    path text not null,
    subjects text[] not null,
    data bytea not null,
    primary key (study, position, path)
);

grant select, insert on record.event, record.event_tag, record.sealed_part to parcycle_service;
grant select, insert, update on record.study_head to parcycle_service;

-- Appends what waits in one writer, for any number of studies, all or nothing. Arrays keep it to one
-- round trip: s_ studies, i_ items of conditions, c_ commands, e_ events, t_ tags, p_ personal parts;
-- _n is an index into the studies, _o the ordinal of an event among those of its study.
-- Where an item meets an event after its position, or a command id is on record already, nothing is
-- written, and which requests it was is said in `conflicts` and `repeats`.
create function record.append(
    s_study text[], s_count int[],
    i_request int[], i_n int[], i_after bigint[], i_tag bigint[], i_rest text[], i_types text[],
    c_request int[], c_n int[], c_id uuid[],
    e_n int[], e_o int[], e_id uuid[], e_type text[], e_schema smallint[], e_actor text[],
    e_occurred timestamptz[], e_command uuid[], e_digest bytea[], e_tags text[],
    e_envelope bytea[], e_payload bytea[],
    t_n int[], t_o int[], t_tag bigint[],
    p_n int[], p_o int[], p_path text[], p_subjects text[], p_data bytea[],
    out heads bigint[], out recorded timestamptz[], out conflicts int[], out repeats int[]
) language plpgsql as $$
begin
    select array_agg(h.position order by h.n), array_agg(h.recorded_at order by h.n)
    into heads, recorded
    from (
        select s.n, h.position, h.recorded_at
        from unnest(s_study) with ordinality as s (study, n)
        join record.study_head h on h.study = s.study
        order by h.study for update of h
    ) h;
    if cardinality(heads) is distinct from cardinality(s_study) then  -- else heads[n] is another's
        raise 'a study of the batch has no head' using errcode = 'no_data_found';
    end if;
    recorded := array(
        select greatest(r, clock_timestamp()) from unnest(recorded) with ordinality r (r, n) order by n
    );

    if i_request is not null then
        select array_agg(distinct i.request) into conflicts
        from unnest(i_request, i_n, i_after, i_tag, i_rest, i_types)
            as i (request, n, after, tag, rest, types)
        where case when i.tag is null then heads[i.n] > i.after else exists (
            select from record.event_tag t
            where t.study = s_study[i.n] and t.tag = i.tag and t.position > i.after
            and (i.rest is null or not exists (
                select from unnest(i.rest::bigint[]) other where not exists (
                    select from record.event_tag o
                    where o.study = s_study[i.n] and o.tag = other and o.position = t.position
                )
            ))
            and (i.types is null or exists (
                select from record.event e
                where e.study = s_study[i.n] and e.position = t.position
                and e.type = any (string_to_array(i.types, ','))
            ))
        ) end;
    end if;
    if c_request is not null then
        select array_agg(c.request) into repeats
        from unnest(c_request, c_n, c_id) as c (request, n, id)
        where exists (
            select from record.event e
            where e.study = s_study[c.n] and e.command_id = c.id and e.command_digest is not null
        );
    end if;
    if conflicts is not null or repeats is not null then
        return;
    end if;

    insert into record.event
    select s_study[e.n], heads[e.n] + e.o, e.id, e.type, e.schema, e.actor, e.occurred,
        recorded[e.n], e.command, e.digest, string_to_array(e.tags, E'\x1f'), e.envelope, e.payload
    from unnest(e_n, e_o, e_id, e_type, e_schema, e_actor, e_occurred, e_command, e_digest, e_tags,
        e_envelope, e_payload)
        as e (n, o, id, type, schema, actor, occurred, command, digest, tags, envelope, payload);
    insert into record.event_tag
    select s_study[t.n], t.tag, heads[t.n] + t.o from unnest(t_n, t_o, t_tag) as t (n, o, tag);
    if p_n is not null then
        insert into record.sealed_part
        select s_study[p.n], heads[p.n] + p.o, p.path, string_to_array(p.subjects, E'\x1f'), p.data
        from unnest(p_n, p_o, p_path, p_subjects, p_data) as p (n, o, path, subjects, data);
    end if;
    update record.study_head h
    set position = h.position + s.count, recorded_at = s.recorded
    from unnest(s_study, s_count, recorded) as s (study, count, recorded)
    where h.study = s.study;
end $$;

-- Registers (read models): rebuilt at will from the record, so the service owns them.
create schema register authorization parcycle_service;
create schema register_rebuilt authorization parcycle_service;

-- migrate:down
drop schema register_rebuilt cascade;
drop schema register cascade;
drop schema record cascade;
