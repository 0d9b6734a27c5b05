-- migrate:up

-- What costs an append least: numbers of an array come as one text, a leaf's parts as bytes, the
-- moment is written for leaves once a study, and what the writer knows to hold is not sent.
drop function record.append(
    text[], int[], record.condition[], record.draft[], record.draft_part[], record.draft_word[]
);
drop type record.draft, record.condition;
create type record.condition as (
    request int, n int, after bigint, tag bigint, other_tags text, types text, command_id uuid
);
create type record.draft as (
    n int, ordinal int, event_id uuid, type text, schema smallint, actor text,
    occurred_at timestamptz, command_id uuid, command_digest bytea, tags text, tag_hashes text,
    envelope bytea, payload bytea, sealed text, salt bytea, leaf_before bytea, leaf_after bytea
);

-- Appends what waits in one writer, for any number of studies, all or nothing, in one round trip.
-- The update of a study's head takes its lock; every writer names the studies in the same order.
-- A condition is that no event stands on record with all these tags and one of these types after
-- this position; or that a command does not. Where one is not met nothing is written, and which
-- requests it was is said in `conflicts` and `repeats`. Nor is anything where a study's head is not
-- the one up to which its writer knew everything, and left out what it knew to hold: which studies
-- these are is said in `moved`.
create function record.append(
    studies text[], counts int[], known_heads bigint[], conditions record.condition[],
    drafts record.draft[], parts record.draft_part[], words record.draft_word[],
    out heads bigint[], out recorded timestamptz[],
    out moved int[], out conflicts int[], out repeats int[]
) language plpgsql as $$
declare
    head bigint;
    at timestamptz;
    recorded_texts bytea[];  -- as leaves write it
begin
    for n in 1 .. cardinality(studies) loop
        update record.study_head h
        set position = h.position + counts[n], recorded_at = greatest(h.recorded_at, clock_timestamp())
        where h.study = studies[n]
        returning h.position - counts[n], h.recorded_at into strict head, at;
        heads[n] := head;
        if head <> known_heads[n] then
            moved := moved || n;
        end if;
        recorded[n] := at;
        recorded_texts[n] := convert_to(
            to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'UTF8'
        );
    end loop;

    -- Written so that each table is asked by its own index, whatever a plan of a small record, which
    -- is kept, would rather join: a limit is not joined, and an expression is no key.
    if cardinality(conditions) > 0 then
        select array_agg(c.request) filter (where c.command_id is null),
            array_agg(c.request) filter (where c.command_id is not null)
        into conflicts, repeats
        from unnest(conditions) c
        where case when c.command_id is not null then (
            select true from record.event e
            where e.command_id = c.command_id and e.study || '' = studies[c.n]
            and e.command_digest is not null limit 1
        ) when c.tag is null then heads[c.n] > c.after else exists (
            select from record.event_tag t
            where t.study = studies[c.n] and t.tag = c.tag and t.position > c.after
            and (c.other_tags is null or not exists (
                select from unnest(c.other_tags::bigint[]) other where (
                    select true from record.event_tag o
                    where o.study = studies[c.n] and o.tag = other and o.position = t.position
                    limit 1
                ) is null
            ))
            and (c.types is null or (
                select e.type = any (string_to_array(c.types, ',')) from record.event e
                where e.study = studies[c.n] and e.position = t.position
            ))
        ) end;
    end if;
    if moved is not null or conflicts is not null or repeats is not null then
        update record.study_head h set position = s.position
        from unnest(studies, heads) as s (study, position) where h.study = s.study;
        return;
    end if;

    insert into record.event
    select studies[d.n], heads[d.n] + d.ordinal, d.event_id, d.type, d.schema, d.actor,
        d.occurred_at, recorded[d.n], d.command_id, d.command_digest,
        string_to_array(d.tags, E'\x1f'), d.envelope, d.payload, string_to_array(d.sealed, E'\x1f'),
        d.salt, d.leaf_before || recorded_texts[d.n] || d.leaf_after
    from unnest(drafts) d;
    insert into record.event_tag
    select studies[d.n], unnest(d.tag_hashes::bigint[]), heads[d.n] + d.ordinal from unnest(drafts) d;
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

-- migrate:down
drop function record.append(
    text[], int[], bigint[], record.condition[], record.draft[], record.draft_part[], record.draft_word[]
);
drop type record.draft, record.condition;
create type record.condition as (
    request int, n int, after bigint, tag bigint, other_tags text, types text
);
create type record.draft as (
    request int, n int, ordinal int, event_id uuid, type text, schema smallint, actor text,
    occurred_at timestamptz, command_id uuid, command_digest bytea, tags text, tag_hashes bigint[],
    envelope bytea, payload bytea, sealed text, salt bytea, leaf_before text, leaf_after text
);

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
