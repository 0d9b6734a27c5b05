"""Runs verify.py on a file that anybody may have made, in a process of its own, within limits.

Started as a program by its path (`python -I verify_apart.py POLICY BUNDLE ...`): it needs nothing
but the standard library and the file beside it, and can write no file.
"""

import resource
import runpy
import sys
from pathlib import Path

SECONDS = 60  # of a processor
MEMORY_BYTES = 600_000_000
OPEN_FILES = 24
LIMITS = {
    resource.RLIMIT_CPU: SECONDS,
    resource.RLIMIT_AS: MEMORY_BYTES,
    resource.RLIMIT_NOFILE: OPEN_FILES,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
}


def main() -> None:
    """Within the limits, what `verify.py` does at a terminal; its exit status."""
    for limit, most in LIMITS.items():
        resource.setrlimit(limit, (most, most))
    sys.dont_write_bytecode = True
    sys.argv[0] = "verify.py"
    runpy.run_path(str(Path(__file__).with_name("verify.py")), run_name="__main__")


if __name__ == "__main__":
    main()
