"""Who is asking: real signatures, and every way in which a token can be wrong."""

import asyncio
import hmac
import json
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from service.application import application
from service.identity import DemoIssuer, Identity, KeysUnknown, NotIdentified
from tests.conftest import Database
from tests.graphql_under_test import served

KEYS: dict[str, Any] = {
    "RS256": RSAKey.generate_key(2048, {"kid": "rsa"}),
    "ES256": ECKey.generate_key("P-256", {"kid": "ec"}),
    "EdDSA": OKPKey.generate_key("Ed25519", {"kid": "okp"}),
}
RIGHT = {"iss": "https://issuer.example", "aud": "parcycle", "sub": "ana"}


def token(algorithm: str = "RS256", key: Any = None, **claims: Any) -> str:
    key = key or KEYS[algorithm]
    said = RIGHT | {"exp": int(time.time()) + 600} | claims
    said = {name: value for name, value in said.items() if value is not None}
    header = {"alg": algorithm, "kid": key.kid}
    return jwt.encode(header, said, key, algorithms=[algorithm])


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    public = [key.as_dict(private=False) for key in KEYS.values()]
    (tmp_path / "keys.json").write_text(json.dumps({"keys": public}))
    return Identity(str(tmp_path / "keys.json"), "https://issuer.example", "parcycle")


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # its name, by RFC 9864; still in use
@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_of_the_issuer_names_the_member(identity: Identity, algorithm: str) -> None:
    signed = token(algorithm)
    assert asyncio.run(identity.member(signed)) == "ana"
    assert asyncio.run(identity.member(signed)) == "ana"  # also when it has been seen before


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "exp"),
        ({"aud": "another"}, "aud"),
        ({"iss": "https://elsewhere.example"}, "iss"),
        ({"iss": None}, "iss"),
        ({"sub": None}, "sub"),
        ({"sub": "Ana Pereira"}, "sub"),
        ({"sub": "../ana"}, "sub"),
    ],
)
def test_a_wrong_claim_is_refused_and_named(
    identity: Identity, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(NotIdentified, match=said):
        asyncio.run(identity.member(token(**wrong)))


def test_another_key_is_refused(identity: Identity) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "rsa"})
    with pytest.raises(NotIdentified):
        asyncio.run(identity.member(token(key=stranger)))


def test_a_token_without_a_signature_or_with_a_shared_secret_is_refused(
    identity: Identity,
) -> None:
    head, body = (
        urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": "rsa"}, RIGHT | {"exp": int(time.time()) + 600})
    )
    secret = KEYS["RS256"].as_pem(private=False)  # RFC 8725, 2.1: the public key as a shared secret
    mac = hmac.digest(secret, head + b"." + body, "sha256")
    confused = b".".join((head, body, urlsafe_b64encode(mac).rstrip(b"="))).decode()
    unsigned = "eyJhbGciOiJub25lIn0." + body.decode() + "."
    for attempt in (confused, unsigned, "", "x", confused[:-8]):
        with pytest.raises(NotIdentified):
            asyncio.run(identity.member(attempt))


def test_a_new_key_of_the_issuer_is_found(identity: Identity) -> None:
    assert asyncio.run(identity.member(token())) == "ana"
    renewed = ECKey.generate_key("P-256", {"kid": "new"})
    Path(str(identity.keys_from)).write_text(json.dumps({"keys": [renewed.as_dict(private=False)]}))
    identity._looked_at = -100.0  # a minute has passed
    assert asyncio.run(identity.member(token("ES256", renewed, sub="ben"))) == "ben"


def test_a_wrong_token_while_the_issuer_is_away_takes_the_keys_from_nobody(
    identity: Identity,
) -> None:
    assert asyncio.run(identity.member(token())) == "ana"
    Path(str(identity.keys_from)).unlink()
    identity._looked_at = -100.0  # a minute has passed
    stranger = RSAKey.generate_key(2048, {"kid": "stranger"})
    with pytest.raises(NotIdentified):
        asyncio.run(identity.member(token(key=stranger)))
    assert asyncio.run(identity.member(token(sub="ben"))) == "ben"


def test_keys_that_cannot_be_had_are_no_fault_of_the_token(tmp_path: Path) -> None:
    """And they are looked for again, but not for each request."""
    file = tmp_path / "keys.json"
    identity = Identity(str(file), "https://issuer.example", "parcycle")
    for _ in range(2):
        with pytest.raises(KeysUnknown, match=r"keys\.json cannot be read"):
            asyncio.run(identity.member(token()))
    file.write_text(json.dumps({"keys": [KEYS["RS256"].as_dict(private=False)]}))
    with pytest.raises(KeysUnknown):
        asyncio.run(identity.member(token()))
    identity._looked_at = -100.0  # a while has passed
    assert asyncio.run(identity.member(token())) == "ana"


def test_a_service_without_keys_says_that_it_is_unavailable(database: Database) -> None:
    nowhere = Identity("/no/such/keys.json", "https://issuer.example", "parcycle")
    with served(application(database.store, nowhere)) as address:
        headers = {"authorization": f"Bearer {token()}"}
        asked = {"query": "{ studies { study } }"}
        answer = httpx.post(f"http://{address}/graphql", json=asked, headers=headers, timeout=30)
        assert answer.status_code == 503
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "UNAVAILABLE"
        assert "keys.json" not in error["message"]
        socket = connect(
            f"ws://{address}/graphql", subprotocols=[Subprotocol("graphql-transport-ws")]
        )
        with socket:
            socket.send(json.dumps({"type": "connection_init", "payload": headers}))
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "Try again later")


def test_the_demo_signs_tokens_and_links_that_work_once() -> None:
    demo = DemoIssuer("parcycle")
    code = demo.link("ana")
    signed = demo.redeem(code)
    assert signed is not None
    assert asyncio.run(demo.identity.member(signed)) == "ana"
    assert demo.redeem(code) is None
    with pytest.raises(NotIdentified):
        asyncio.run(DemoIssuer("parcycle").identity.member(signed))
