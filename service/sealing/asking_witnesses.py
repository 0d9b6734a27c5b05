"""Witnesses of the log, asked to cosign its checkpoints: C2SP tlog-witness, as a client.

A witness sees origins, sizes, roots and proofs, nothing of the record.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import httpx
from pydantic import BaseModel, field_validator

from service.sealing.checkpoints import (
    NUMBER,
    MalformedCheckpoint,
    OtherOrigin,
    require_head,
)
from service.sealing.cosigning import Request
from service.sealing.log_keys import TreeHead
from service.sealing.signed_notes import (
    BadSignature,
    KeyKind,
    MalformedKey,
    MalformedNote,
    Note,
    NotSigned,
    Signed,
    VerifierKey,
    signature_lines,
    verified,
)

TIMEOUT = 10.0  # seconds for an answer
TIMEOUT_HELD = 2.0  # seconds for what a witness holds: the first seal of a study waits for it
UNFIT = (MalformedNote, MalformedCheckpoint, NotSigned, BadSignature, OtherOrigin)


class WitnessNamed(BaseModel, frozen=True, extra="forbid"):
    """A witness as settings name it."""

    key: str  # its verifier key, as the witness publishes it
    url: str | None = None  # where add-checkpoint is; None: it cosigns when the committee meets

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"https?://[^/]", url):
            raise ValueError("a witness's url begins with http:// or https://")
        return url and url.rstrip("/")

    @field_validator("key")
    @classmethod
    def _is_a_witness_key(cls, key: str) -> str:
        try:
            kind = VerifierKey.parse(key).kind
        except MalformedKey as fault:
            raise ValueError(str(fault)) from None
        if kind is not KeyKind.WITNESS:
            raise ValueError(f"{key} is a log's key, not a witness's (Ed25519 cosignature/v1)")
        return key

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey.parse(self.key)


class WitnessAway(Exception):
    """A witness cannot be asked just now, or does not answer as a witness."""

    def __init__(self, witness: str, why: str) -> None:
        super().__init__(f"The witness {witness} cannot be asked: {why}.")
        self.witness = witness


class NotCosigned(Exception):
    """A witness refuses: it does not know the log or its key (400, 403, 404)."""


class HoldsAnotherSize(Exception):
    """The last checkpoint that a witness cosigned is of another size than was said (409)."""

    def __init__(self, size: int) -> None:
        super().__init__(f"It holds a checkpoint of {size} leaves.")
        self.size = size


class HoldsAnotherTree(Exception):
    """A witness holds a head that this checkpoint does not extend (422; 409 of the same size)."""


class Held(NamedTuple):
    """What a witness holds of a log."""

    witness: str
    head: TreeHead


class Witness:
    """A witness that can be asked."""

    def __init__(self, url: str, key: VerifierKey, http: httpx.AsyncClient) -> None:
        self.key = key
        self._url, self._http = url, http

    @property
    def name(self) -> str:
        return self.key.name

    async def add(self, note: Note, old: int, proof: Sequence[bytes], size: int) -> Signed:
        """Have a checkpoint cosigned, with the proof that it extends one of `old` leaves.

        Raises `WitnessAway`, `NotCosigned`, `HoldsAnotherSize` and `HoldsAnotherTree`.
        """
        body = str(Request(old, tuple(proof), note)).encode()
        answer = await self._ask("POST", "add-checkpoint", TIMEOUT, body)
        text = answer.text
        if answer.status_code == 409:
            held = text.removesuffix("\n")
            if not NUMBER.fullmatch(held):
                raise WitnessAway(self.name, "its answer 409 tells no size")
            if int(held) == old == size:
                raise HoldsAnotherTree(f"{self.name} holds another tree of {size} leaves.")
            raise HoldsAnotherSize(int(held))
        if answer.status_code == 422:
            raise HoldsAnotherTree(
                f"{self.name} finds that {size} leaves do not extend the {old} that it holds."
            )
        if answer.status_code in (400, 403, 404):
            raise NotCosigned(
                f"{self.name} answered {answer.status_code}: {text.strip()[:200]}. See that it has "
                "this log's origin and key."
            )
        if answer.status_code != 200:
            raise WitnessAway(self.name, f"it answered {answer.status_code}")
        try:
            (by,) = verified(Note(note.text, tuple(signature_lines(text))), [self.key])
        except UNFIT as unfit:
            raise WitnessAway(self.name, f"its answer is no cosignature ({unfit})") from unfit
        return by

    async def held(self, origin: str, keys: Iterable[VerifierKey]) -> TreeHead | None:
        """The head of our log that it holds, if it has one and tells. Raises `WitnessAway`."""
        named = hashlib.sha256(origin.encode()).hexdigest()
        answer = await self._ask("GET", f"{named}/checkpoint", TIMEOUT_HELD)
        if answer.status_code in (404, 405, 501):  # it holds none, or does not tell
            return None
        if answer.status_code != 200:
            raise WitnessAway(self.name, f"it answered {answer.status_code}")
        try:
            head = require_head(Note.parse(answer.content), origin, [*keys, self.key])
        except UNFIT as unfit:
            raise WitnessAway(self.name, f"what it holds is not ours ({unfit})") from unfit
        return TreeHead(head.checkpoint.size, head.checkpoint.root)

    async def _ask(
        self, method: str, path: str, within: float, body: bytes | None = None
    ) -> httpx.Response:
        try:
            return await self._http.request(
                method, f"{self._url}/{path}", content=body, timeout=within
            )
        except httpx.HTTPError as error:
            raise WitnessAway(self.name, str(error) or type(error).__name__) from error
