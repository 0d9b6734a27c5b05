"""Identity: an access token names the member; what they may do stands in each study's record.

Tokens are JWTs (RFC 9068) of any OpenID Connect issuer whose JWK Set is known. In the demo, on the
loopback interface alone, the service is its own issuer with a key made at its start.
"""

import asyncio
import json
import re
import secrets
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet, OKPKey

# RFC 9864 renames EdDSA to Ed25519; issuers will write the old name for years to come.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

ALGORITHMS = ["RS256", "ES256", "EdDSA", "Ed25519"]
LEEWAY = 60  # seconds that the issuer's clock may differ by
REMEMBERED = 10_000  # verified tokens
TRUSTED_FOR = 300.0  # seconds until a token is verified again, so that a withdrawn key is noticed
REFRESH_AFTER = 60.0  # seconds between two looks for new keys at most
MEMBER = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class NotIdentified(Exception):
    """No token, or none that can be trusted; says what is wrong with it."""


@dataclass
class Identity:
    """Trusts tokens that the issuer's keys have signed."""

    keys_from: str | KeySet
    issuer: str | None
    audience: str
    _keys: KeySet | None = None
    _looked_at: float = -REFRESH_AFTER
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _verified: dict[str, tuple[str, float]] = field(default_factory=dict)

    async def member(self, token: str) -> str:
        """Whom the token names. Raises `NotIdentified`."""
        known, until = self._verified.get(token, ("", 0.0))
        if time() < until:  # a signature verified once is not worth verifying again
            return known
        try:
            claims = await self._claims(token)
        except (JoseError, ValueError) as fault:
            raise NotIdentified(f"The access token is not valid: {_said(fault)}.") from None
        member = claims.get("sub")
        if not isinstance(member, str) or not MEMBER.match(member):
            raise NotIdentified(
                "The access token's `sub` must be 1 to 64 letters, digits, '.', '_' or '-'."
            )
        if len(self._verified) >= REMEMBERED:
            self._verified.clear()
        self._verified[token] = (member, min(claims["exp"], time() + TRUSTED_FOR))
        return member

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            decoded = jwt.decode(token, await self._known_keys(), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            if monotonic() - self._looked_at < REFRESH_AFTER or isinstance(self.keys_from, KeySet):
                raise
            self._keys = None  # the issuer may have a new key
            decoded = jwt.decode(token, await self._known_keys(), algorithms=ALGORITHMS)
        required: dict[str, Any] = {
            "exp": {"essential": True},
            "sub": {"essential": True},
            "aud": {"essential": True, "value": self.audience},
        }
        if self.issuer is not None:
            required["iss"] = {"essential": True, "value": self.issuer}
        jwt.JWTClaimsRegistry(leeway=LEEWAY, **required).validate(decoded.claims)
        return decoded.claims

    async def _known_keys(self) -> KeySet:
        async with self._looking:
            if self._keys is None:
                self._looked_at = monotonic()
                self._keys = await _read_keys(self.keys_from)
            return self._keys


async def _read_keys(where: str | KeySet) -> KeySet:
    if isinstance(where, KeySet):
        return where
    if where.startswith("https://"):
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.get(where)
            answer.raise_for_status()
            return KeySet.import_key_set(answer.json())
    text = await asyncio.to_thread(Path(where).read_text)
    return KeySet.import_key_set(json.loads(text))


def _said(fault: Exception) -> str:
    """What joserfc says is wrong, without anything of the token itself."""
    return getattr(fault, "description", None) or getattr(fault, "error", None) or "unreadable"


class DemoIssuer:
    """Signs tokens and one-time sign-in links with a key that lasts as long as the process."""

    ISSUER = "parcycle-demo"

    def __init__(self, audience: str) -> None:
        self._key = OKPKey.generate_key("Ed25519", {"use": "sig", "kid": secrets.token_hex(4)})
        self._links: dict[str, str] = {}
        self.audience = audience
        self.identity = Identity(KeySet([self._key]), self.ISSUER, audience)

    def token(self, member: str, seconds: int = 12 * 3600) -> str:
        """An access token that names the member."""
        now = int(time())
        claims = {
            "iss": self.ISSUER, "aud": self.audience, "sub": member, "iat": now,
            "exp": now + seconds,
        }  # fmt: skip
        header = {"alg": "Ed25519", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=["Ed25519"])

    def link(self, member: str) -> str:
        """A code that signs the member in, once."""
        code = secrets.token_urlsafe(24)
        self._links[code] = member
        return code

    def redeem(self, code: str) -> str | None:
        """The token for a code, the first time; None ever after."""
        member = self._links.pop(code, None)
        return None if member is None else self.token(member)
