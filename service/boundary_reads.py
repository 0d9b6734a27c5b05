"""The SQL by which the recorder reads: what matches a boundary after a position, and the head."""

from typing import Any

from domain.vocabulary import tag_hash
from service.appends import Items, type_tag

# Takes the study, a position, and the hash of each tag beside its item's number. Each item is
# driven from its rarest tag, judged by how far on its eighth event is: a common tag then costs
# nothing, in whichever order the tags are given. One statement, so one snapshot: the head is the
# record's as the events were read.
MATCHING = """
select e.position, e.type, e.schema, e.actor, e.occurred_at, e.tags, e.payload
from record.event e
where e.study = $1 and e.position = any (array(
    select distinct found.position
    from (
        select i.item, array_agg(i.hash) as hashes, (array_agg(i.hash order by (
            select t.position from record.event_tag t
            where t.hash = i.hash and t.position > $2
            order by t.position offset 7 limit 1
        ) desc nulls first))[1] as rarest
        from (
            select item, hash # (select record.hash_in($1, 0)) as hash
            from unnest($3::int[], $4::bigint[]) as asked (item, hash)
        ) i
        group by i.item
    ) i
    cross join lateral (
        select d.position from record.event_tag d
        where d.hash = i.rarest and d.position > $2
        and (cardinality(i.hashes) = 1 or not exists (
            select from unnest(i.hashes) as other
            where other <> i.rarest and (
                select true from record.event_tag o
                where o.hash = other and o.position = d.position limit 1
            ) is null
        ))
        offset 0  -- so that no plan, of a small record, reads all tags instead
    ) found
))
union all
select h.position, null, null, null, null, null, null from record.study_head h where h.study = $1
"""
# The same where a single tag, or a single type, is asked for. By an array, events that stand side
# by side come out of the index in one go (PostgreSQL 17 and later); by a join, one by one.
OF_ONE_TAG = """
select e.position, e.type, e.schema, e.actor, e.occurred_at, e.tags, e.payload
from record.event e
where e.study = $1 and e.position = any (array(
    select t.position from record.event_tag t
    where t.hash = record.hash_in($1, $3) and t.position > $2
))
union all
select h.position, null, null, null, null, null, null from record.study_head h where h.study = $1
"""
EVERYTHING = """
select position, type, schema, actor, occurred_at, tags, payload
from record.event where study = $1 and position > $2
union all
select h.position, null, null, null, null, null, null from record.study_head h where h.study = $1
"""


def sought(items: Items) -> tuple[Any, ...]:
    """The SQL that finds what matches any of the items, and what it takes after the position."""
    if not all(types or tags for types, tags in items):
        return (EVERYTHING,)
    numbers: list[int] = []
    hashes: list[int] = []
    number = 0
    for types, tags in items:
        for type_tags in [[type_tag(type_)] for type_ in types] or [[]]:  # they are alternatives
            each = [*tags, *type_tags]
            numbers += [number] * len(each)
            hashes += [tag_hash(tag) for tag in each]
            number += 1
    return (OF_ONE_TAG, hashes[0]) if len(hashes) == 1 else (MATCHING, numbers, hashes)
