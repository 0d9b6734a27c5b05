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
import structlog
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet, OKPKey

log = structlog.get_logger(__name__)

# RFC 9864 renames EdDSA to Ed25519; issuers will write the old name for years to come.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

ALGORITHMS = ["RS256", "ES256", "EdDSA", "Ed25519"]
LEEWAY = 60  # seconds that the issuer's clock may differ by
REMEMBERED = 10_000  # verified tokens
TRUSTED_FOR = 300.0  # seconds until a token is verified again, so that a withdrawn key is noticed
REFRESH_AFTER = 60.0  # seconds between two looks for new keys at most
TRY_AGAIN = 5.0  # seconds until keys that could not be had at all are looked up again
WEB = "https://"
MEMBER = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class NotIdentified(Exception):
    """No token, or none that can be trusted; says what is wrong with it."""


class KeysUnknown(Exception):
    """The issuer's keys cannot be had, so whether a token can be trusted is not known."""


@dataclass
class Identity:
    """Trusts tokens that the issuer's keys have signed."""

    keys_from: str | KeySet
    issuer: str | None
    audience: str
    _keys: KeySet | None = None
    _fault: KeysUnknown | None = None
    _looked_at: float = -REFRESH_AFTER
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _verified: dict[str, tuple[str, float]] = field(default_factory=dict)

    def check_file(self) -> None:
        """Raises `KeysUnknown` if the keys are to be read from a file that holds none."""
        if isinstance(self.keys_from, str) and not self.keys_from.startswith(WEB):
            asyncio.run(_read_keys(self.keys_from))

    async def member(self, token: str) -> str:
        """Whom the token names. Raises `NotIdentified`, or `KeysUnknown`."""
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
        keys = await self._known_keys()
        try:
            decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            newer = await self._newer_keys(keys)
            if newer is keys:
                raise
            decoded = jwt.decode(token, newer, algorithms=ALGORITHMS)
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
                if self._fault is not None and monotonic() - self._looked_at < TRY_AGAIN:
                    raise self._fault  # those who wait need not each ask an issuer that is away
                self._looked_at = monotonic()
                try:
                    self._keys = await _read_keys(self.keys_from)
                except KeysUnknown as fault:
                    self._fault = fault
                    log.error("token_keys_unknown", reason=str(fault))
                    raise
            return self._keys

    async def _newer_keys(self, known: KeySet) -> KeySet:
        """The keys looked up again, since the issuer may have a new one; else those known.

        Who sends a wrong token while the issuer is away must not take the keys from all others.
        """
        async with self._looking:
            if self._keys is not known or monotonic() - self._looked_at < REFRESH_AFTER:
                return self._keys or known
            self._looked_at = monotonic()
            try:
                self._keys = await _read_keys(self.keys_from)
            except KeysUnknown as fault:
                log.warning("token_keys_not_renewed", reason=str(fault))
            return self._keys


async def _read_keys(where: str | KeySet) -> KeySet:
    """The keys at a file or an https address. Raises `KeysUnknown`."""
    if isinstance(where, KeySet):
        return where
    try:
        if where.startswith(WEB):
            async with httpx.AsyncClient(timeout=10) as client:
                answer = await client.get(where)
                answer.raise_for_status()
                keys = answer.json()
        else:
            keys = json.loads(await asyncio.to_thread(Path(where).read_text))
        return KeySet.import_key_set(keys)
    except (OSError, httpx.HTTPError) as fault:
        raise KeysUnknown(f"{where} cannot be read ({type(fault).__name__}).") from fault
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as fault:
        raise KeysUnknown(f"{where} holds no JWK Set (RFC 7517).") from fault


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
