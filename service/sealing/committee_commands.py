"""What the command line does for an ethics committee: verify a bundle, cosign, be the witness."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import uvloop
from cyclopts import App, Parameter

from service.sealing import verify as verifier
from service.sealing.checkpoints import Checkpoint
from service.sealing.cosigning import (
    Contradiction,
    MalformedRequest,
    OtherThanHeld,
    UnfitState,
    UnknownLog,
    cosign_offline,
)
from service.sealing.key_encryption import KeysUnusable
from service.sealing.merkle_tree import Inconsistent
from service.sealing.private_files import write_private
from service.sealing.signed_notes import (
    BadSignature,
    KeyKind,
    MalformedKey,
    NotSigned,
    VerifierKey,
)
from service.sealing.signing_key_file import NoSigningKey, make_signing_key, signing_key
from service.sealing.witness import Witness, witness_application
from service.serving import listening, serve
from service.terminal import Failure, console

witness = App(name="witness", help="Be the witness of studies: cosign what extends their records.")


def verify(
    policy: Path,
    bundle: Path,
    *,
    accepted: Path | None = None,
    accept: Annotated[bool, Parameter(negative="")] = False,
    about: str = "",
) -> None:
    """Check an evidence bundle, without trusting who made it: the same file as verify.py.

    The exit status is 0 if all of the bundle holds, 1 if it does not, 2 if that cannot be told.

    Parameters
    ----------
    policy
        Your own file of whose signatures count.
    bundle
        The evidence bundle.
    accepted
        Your own file of the last checkpoint that you accepted.
    accept
        Write that file anew if all of the bundle holds.
    about
        List all events with a tag, such as participant:P-07.
    """
    if accept and accepted is None:
        raise Failure("--accept needs --accepted: the file in which you keep what you accepted.")
    arguments = [str(policy), str(bundle), *(["--accept"] if accept else [])]
    arguments += [] if accepted is None else ["--accepted", str(accepted)]
    sys.exit(verifier.main([*arguments, "--about", about]))


@witness.default
def run_witness(
    policy: Path, *, key: Path, state: Path, host: str = "127.0.0.1", port: int = 8460
) -> None:
    """Cosign the checkpoints of studies, each only if it extends the one before.

    It sees of a study its name, how many events it has and a hash, and nothing else. Requests are
    those of C2SP tlog-witness. It never forgets what it cosigned: back the state file up.

    Parameters
    ----------
    policy
        The file whose `log` lines name the studies' keys: a policy file as verify reads it.
    key
        The witness's key: see `parcycle witness key`.
    state
        The file (SQLite) of what was cosigned last; made if it is not there.
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    """
    with in_words():
        serving = Witness(state, signing_key(key, KeyKind.WITNESS), logs_of(policy))
    if contradictions := serving.evidence():
        _say(f"{state} holds {len(contradictions):,} requests that contradict what was cosigned.")

    async def say(at: str) -> None:
        _say(f"The witness listens at {at}/add-checkpoint. Ctrl-C stops it.")

    uvloop.run(serve(witness_application(serving), listening(host, port), say))


@witness.command
def key(name: str, *, file: Path) -> None:
    """Make the key of a witness or of a committee that cosigns, or show the public one again.

    Parameters
    ----------
    name
        Who cosigns, as an address without its scheme: ethics.example.org/witness.
    file
        Where the private key is, or will be. Who can read it can cosign in your name.
    """
    with in_words():
        if file.exists():
            found = signing_key(file, KeyKind.WITNESS)
            if found.name != name:
                raise Failure(f"{file} is the key of {found.name}.")
        else:
            found = make_signing_key(file, name, KeyKind.WITNESS)
            _say(f"The private key is in {file}. Keep a copy where only you can read it.")
    _say("The public key, for policy files and for the study's team:")
    _say(str(found.verifier))


def cosign(request: Path, *, policy: Path, key: Path, state: Path, out: Path) -> None:
    """Cosign a study's checkpoint by hand, when the committee meets; no network is needed.

    Only a checkpoint that extends the one cosigned last is cosigned. Verify the study's bundle
    first: a cosignature says that nothing was changed, and not that you have looked at it.

    Parameters
    ----------
    request
        The file from the study's team: a checkpoint, and the proof that it extends your last.
    policy
        The file whose `log` line names the study's key: your policy file.
    key
        The committee's key: see `parcycle witness key`.
    state
        Your own file of what you cosigned last; made if it is not there. Back it up.
    out
        Where the cosigned checkpoint is written, for the study's team.
    """
    with in_words():
        logs = logs_of(policy)
        signing = signing_key(key, KeyKind.WITNESS)
        before = state.exists()
        try:
            note = cosign_offline(request.read_bytes(), logs, signing, state)
        except OtherThanHeld as fault:
            raise Failure(
                f"You cosigned {fault.size:,} events last, and the request does not start there. "
                f"Ask the study's team for a request from {fault.size}."
            ) from None
    write_private(out, str(note))
    cosigned = Checkpoint.parse(note.text)
    _say(f"Cosigned: {cosigned.origin}, {cosigned.size:,} events.")
    if not before:
        _say("It is the first that you cosigned: nothing was there to compare it with.")
    _say(f"Send {out} to the study's team; keep {state}.")


@contextmanager
def in_words() -> Iterator[None]:
    """What refuses a request, as the person at the terminal is told it."""
    try:
        yield
    except (Contradiction, Inconsistent) as fault:
        raise Failure(
            f"Not cosigned. {fault} The study's log has signed what contradicts what you cosigned "
            "before. Keep the request: it is proof."
        ) from None
    except (
        BadSignature, KeysUnusable, MalformedKey, MalformedRequest, NoSigningKey, NotSigned,
        UnfitState, UnknownLog,
    ) as fault:  # fmt: skip
        raise Failure(str(fault)) from None


def logs_of(policy: Path) -> list[VerifierKey]:
    """The keys of logs in a policy file. Raises `Failure`."""
    try:
        keys, _ = verifier.read_policy(policy.read_text("utf-8-sig"))
    except ValueError as fault:
        raise Failure(f"The policy file: {fault.args[-1]}") from None
    logs = [
        VerifierKey(key.partition("+")[0], KeyKind.LOG, public)
        for key, (who, public, _) in keys.items()
        if not who
    ]
    if not logs:
        raise Failure(f"{policy} names no log.")
    return logs


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
