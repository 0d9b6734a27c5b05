-- migrate:up

-- A tag in 64 bits: the first 40 of the SHA-256 of all of it but its last three bytes, and these as
-- they are, as `tag_hash` in domain/vocabulary.py has it; and the 40 are mixed with 40 of the study's.
-- What is numbered one after another (P-07, P-08) then stands side by side in the index, and an append
-- changes fewer of its pages. The index has no study: it would be half of most keys. The table
-- has it still, so that it can be partitioned by study. The column has another name, so that
-- an older service, which hashed otherwise, fails rather than finds nothing.
create function record.hash_in(study text, hash bigint) returns bigint language sql stable
return hash # (
    'x' || substr(encode(sha256(convert_to(study, 'UTF8')), 'hex'), 1, 10) || '000000'
)::bit(64)::bigint;

drop function record.append(
    text[], int[], bigint[], record.condition[], record.draft[], record.draft_part[], record.draft_word[]
);
alter type record.condition rename attribute tag to hash;
alter type record.condition rename attribute other_tags to other_hashes;
alter type record.draft rename attribute tag_hashes to hashes;
alter table record.event_tag drop constraint event_tag_pkey;
alter table record.event_tag rename tag to hash;
truncate record.event_tag;
insert into record.event_tag
select study, record.hash_in(study, (
    'x' || substr(encode(sha256(substr(tag, 1, greatest(length(tag) - 3, 0))), 'hex'), 1, 10)
    || lpad(encode(substr(tag, greatest(length(tag) - 2, 1)), 'hex'), 6, '0')
)::bit(64)::bigint) as hash, position
from (
    select distinct study, position, convert_to(unnest(tags || ('t:' || type)), 'UTF8') as tag
    from record.event
) t
order by hash, position;
create index event_tag_by_hash on record.event_tag (hash, position);

-- Appends what waits in one writer, for any number of studies, all or nothing, in one round trip.
-- The update of a study's head takes its lock; every writer names the studies in the same order.
-- A condition is that no event stands on record with all these tags and one of these types after
-- this position; or that a command does not. Where one is not met nothing is written, and which
-- requests it was is said in `conflicts` and `repeats`. Nor is anything where a study's head is not
-- the one up to which its writer knew everything, and left out what it knew to hold: which studies
-- these are is said in `moved`. `study_hashes` is `record.hash_in(study, 0)` of each, which writers keep.
create function record.append(
    studies text[], counts int[], known_heads bigint[], conditions record.condition[],
    drafts record.draft[], parts record.draft_part[], words record.draft_word[], study_hashes bigint[],
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
        ) when c.hash is null then heads[c.n] > c.after else exists (
            select from record.event_tag t
            where t.hash = c.hash # study_hashes[c.n] and t.position > c.after and t.study = studies[c.n]
            and (c.other_hashes is null or not exists (
                select from unnest(c.other_hashes::bigint[]) other where (
                    select true from record.event_tag o
                    where o.hash = other # study_hashes[c.n] and o.position = t.position
                    and o.study = studies[c.n] limit 1
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
    select studies[d.n], unnest(d.hashes::bigint[]) # study_hashes[d.n], heads[d.n] + d.ordinal
    from unnest(drafts) d;
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
do $$ begin
    raise exception 'Tags were hashed by BLAKE2b before, which PostgreSQL lacks: restore a backup.';
end $$;
