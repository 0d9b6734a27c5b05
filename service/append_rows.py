"""What record.append takes of a batch of appends.

Tuples for composite types, and texts for arrays in them: asyncpg looks at every element of an array
several times over, but at the fields of a composite only once.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from domain.vocabulary import study_hash, tag_hash
from service.appends import SEPARATOR, Request, hashes_in_text, type_tag
from service.recent_appends import RecentAppends


def arguments(
    batch: Iterable[Request], studies: Sequence[str], recent: RecentAppends
) -> tuple[list[Sequence[Any]], list[tuple[int, int]]]:
    """The rows, and for each request the number of its study and of its last event in it."""
    number = {study: n for n, study in enumerate(studies, 1)}
    counts = [0] * len(studies)
    known_heads: list[int | None] = [None] * len(studies)
    conditions: list[tuple[Any, ...]] = []
    drafts: list[tuple[Any, ...]] = []
    parts: list[tuple[Any, ...]] = []
    words: list[tuple[Any, ...]] = []
    lasts = []
    for r, request in enumerate(batch):
        n = number[request.study]
        known = recent.of(request.study)
        for (types, tags), after in zip(request.items, request.after, strict=True):
            if known is not None and known.shows_none(types, tags, after):
                known_heads[n - 1] = known.head
            elif tags:
                first, *rest = tags
                others = hashes_in_text(rest) if rest else None
                of_types = ",".join(types) or None
                conditions.append((r, n, after, tag_hash(first), others, of_types, None))
            elif types:
                firsts = [tag_hash(type_tag(type_)) for type_ in types]
                conditions += [(r, n, after, first, None, None, None) for first in firsts]
            else:
                conditions.append((r, n, after, None, None, None, None))
        for e in request.events:
            counts[n - 1] += 1
            ordinal = counts[n - 1]
            drafts.append((n, ordinal, *e.row))
            if e.command_digest is not None:
                conditions.append((r, n, None, None, None, None, e.command_id))
            for field in e.sealed:
                subjects = SEPARATOR.join(field.subjects)
                parts.append((n, ordinal, field.path, subjects, field.blob))
            words += [(n, ordinal, path, word) for path, word in e.words]
        lasts.append((n - 1, counts[n - 1]))
    study_hashes = [study_hash(study) for study in studies]
    return [studies, counts, known_heads, conditions, drafts, parts, words, study_hashes], lasts
