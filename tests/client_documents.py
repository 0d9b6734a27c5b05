"""What each GraphQL client asks of the service, with the variables, and the data it must get."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from service.graphql_types import global_id
from tests.serving import Person, prepare

DOCUMENTS = Path(__file__).parent / "clients" / "documents"


def prepare_for_clients(ana: Person) -> int:
    """The study that the documents ask about; gives its last position."""
    prepare(ana)
    for n in (1, 2):
        last = ana.record("holdWorkshop", f"2026-02-1{n}T10:00Z", workshop=f"w-{n}", cycle="c-1",
                          participants=["p-1", "p-2"][:n], technique="problem tree",
                          notes="They spoke of the dry months.")  # fmt: skip
    return last


def documents(last: int) -> dict[str, dict[str, Any]]:
    """By kind of operation; `take` is after how many events a client has heard enough."""
    heard = [("StudyOpened", "STUDY"), ("OpinionGiven", "ETHICS"), ("CycleOpened", "PLAN")]
    return {
        "query": {
            **document("StudyQuery"),
            "variables": {
                "study": "maize",
                "workshop": global_id("Workshop", "maize", "w-2"),
                "technique": "problem tree",
                "first": 1,
                "atLeast": last,
            },
            "data": {"study": study_shown(last), "node": {
                "id": global_id("Workshop", "maize", "w-2"), "technique": "problem tree",
            }},
        },
        "mutation": {
            **document("EnrolParticipantMutation"),
            "variables": {"input": {
                "study": "maize", "commandId": str(uuid4()), "participant": "p-3", "group": "A",
                "occurredAt": "2026-03-01T18:30:00+02:00", "name": "Rosa",
            }},
            "data": {"enrolParticipant": {"event": {  # and where it stands, which the record tells
                "type": "ParticipantEnrolled",
                "tags": ["participant:p-3", "group:A"],
                "payload": {"participant": "p-3", "group": "A", "name": "Rosa"},
            }}},
        },
        "subscription": {
            **document("EventsSubscription"),
            "variables": {"study": "maize", "after": 0},
            "take": len(heard),
            "data": [
                {"events": {
                    "id": global_id("Event", "maize", position), "position": position,
                    "type": type_, "phase": phase,
                }}
                for position, (type_, phase) in enumerate(heard, 1)
            ],
        },
    }  # fmt: skip


def study_shown(last: int) -> dict[str, Any]:
    first = str(last - 1)
    return {
        "id": global_id("Study", "maize", "maize"),
        "title": "Maize and water",
        "openedAt": "2026-01-05T09:00:00+00:00",
        "workshops": {
            "totalCount": 2,
            "edges": [{"cursor": first, "node": {
                "id": global_id("Workshop", "maize", "w-1"), "workshop": "w-1", "people": 1,
                "notes": "They spoke of the dry months.",
            }}],
            "pageInfo": {"hasNextPage": True, "endCursor": first},
        },
        "participants": {"nodes": [
            {"participant": name, "name": f"Name of {name}"} for name in ("p-1", "p-2")
        ]},
    }  # fmt: skip


def document(name: str) -> dict[str, str]:
    return {"name": name, "document": (DOCUMENTS / f"{name}.graphql").read_text()}
