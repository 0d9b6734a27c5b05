"""One file behind the README's two commands; it needs Python >= 3.11 and nothing else.

    python3 deploy/set_up.py demo      everything at once: a demo study on an embedded PostgreSQL
    python3 deploy/set_up.py test      the whole test suite

What follows is passed on to `parcycle demo` or to pytest. The first run makes `.venv` in the
checkout from deploy/requirements.lock, every file checked by its hash; later runs make it anew
only if what it was made of has changed. `uv` is used where it is on the PATH. The environment
belongs to this file: keep nothing of your own in it.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):
    # Said before anything that an older Python cannot run, and in words that it can read.
    sys.exit(
        f"parcycle needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.\n"
        "Run this file with a newer one, for example: python3.13 deploy/set_up.py demo"
    )

CHECKOUT = Path(__file__).resolve().parent.parent
LOCK = CHECKOUT / "deploy" / "requirements.lock"
PYPROJECT = CHECKOUT / "pyproject.toml"
ENVIRONMENT = CHECKOUT / ".venv"
PROGRAMS = ENVIRONMENT / "bin"
PYTHON = PROGRAMS / "python"
MADE_OF = ENVIRONMENT / "made-of"  # written last: without it the environment is not finished

# Set for another environment, these would lead Python or pip out of ours.
LEADS_ASTRAY = {"PYTHONHOME", "PYTHONPATH", "PIP_PREFIX", "PIP_TARGET", "PIP_USER"}

USAGE = "usage: python3 deploy/set_up.py demo|test [what to pass on to it ...]"


def main(arguments: list[str]) -> None:
    """Make the environment if it is missing or out of date, then become the program asked for."""
    if arguments[:1] == ["demo"]:
        command = [str(PROGRAMS / "parcycle"), *arguments]
    elif arguments[:1] == ["test"]:
        command = [str(PYTHON), "-m", "pytest", *arguments[1:]]
    elif set(arguments) & {"-h", "--help"}:
        print(f"{__doc__}\n{USAGE}")
        return
    else:
        sys.exit(USAGE)
    make_environment()
    if arguments[0] == "test":
        os.chdir(CHECKOUT)
    # Becoming the program, not its parent: the terminal, signals and exit status are its own.
    sys.stdout.flush()
    os.execve(command[0], command, inside_environment())


def make_environment() -> None:
    """Leave `.venv` as the lock file and pyproject.toml say, or stop with what to do."""
    with LOCK.open("rb") as lock:
        # Two first runs at once would install over each other; the kernel frees this in any case.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is making .venv: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = fingerprint(lock.read())
        if MADE_OF.exists() and PYTHON.exists() and MADE_OF.read_text() == wanted:
            return
        uv = shutil.which("uv")
        if uv is None and not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
            sys.exit(
                f"{sys.executable} cannot make virtual environments: it lacks venv or ensurepip.\n"
                f"On Debian or Ubuntu: sudo apt install python3.{sys.version_info.minor}-venv; "
                "then run the same command again."
            )
        if ENVIRONMENT.exists():
            say("what .venv was made of has changed, or it was not finished: removing it")
            shutil.rmtree(ENVIRONMENT)
        say(f"making .venv with Python {sys.version.split()[0]}")
        if uv is None:
            run(sys.executable, "-m", "venv", "--prompt", "parcycle", str(ENVIRONMENT))
            install = [str(PYTHON), "-m", "pip", "install", "--quiet"]
        else:
            run(uv, "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENT))
            install = [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
        by = "pip: about a minute" if uv is None else "uv"
        say(f"installing what deploy/requirements.lock pins, checked by hash ({by})")
        run(*install, "--require-hashes", "-r", str(LOCK))
        say("installing parcycle itself, from this checkout")
        run(*install, "--no-deps", "--no-build-isolation", "--editable", str(CHECKOUT))
        MADE_OF.write_text(wanted)


def fingerprint(lock: bytes) -> str:
    """Hash what the environment is made of: pins, package, Python, and place (scripts name it)."""
    python = f"{sys.base_prefix} {sys.version_info.major}.{sys.version_info.minor}"
    parts = (lock, PYPROJECT.read_bytes(), python.encode(), os.fsencode(CHECKOUT))
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def inside_environment() -> dict[str, str]:
    """The variables of a shell in which `.venv`, and no other environment, is active."""
    kept = {name: value for name, value in os.environ.items() if name not in LEADS_ASTRAY}
    path = os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath)])
    ours = {"VIRTUAL_ENV": str(ENVIRONMENT), "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return kept | ours


def run(*command: str) -> None:
    """Run one step of the installation; stop here if it fails, after its own message."""
    finished = subprocess.run(command, env=inside_environment(), cwd=CHECKOUT)
    if finished.returncode:
        sys.exit(
            f"This step failed, as said above: {' '.join(command)}\n"
            "Most often the network or the disk is the reason: mend it, then run this again."
        )


def say(what: str) -> None:
    print(f"parcycle: {what}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("\nStopped. Run the same command again to go on.")
