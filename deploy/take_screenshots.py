"""Takes the README's screenshots anew, of the demo study: `python deploy/take_screenshots.py`.

Needs chromium and chromedriver, and the development requirements. A demo is started on a free port
with a home of its own, looked at in each size, and stopped; nothing of it stays but the pictures in
`deploy/screenshots`. Look at each before you commit them.
"""

import re
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browsing import chromium, debug, in_scheme, sized  # noqa: E402 (the path comes first)

PATIENCE = 60  # seconds
INTO = ROOT / "deploy" / "screenshots"
STUDY = "/s/liverpool"
PICTURES = (  # name, page, who looks, width, height, light or dark
    ("progress", STUDY, "lead_researcher", 1440, 1330, "light"),
    ("progress-dark", STUDY, "lead_researcher", 1440, 1330, "dark"),
    ("cycle", f"{STUDY}/c/evenings#act", "lead_researcher", 1440, 1000, "light"),
    ("progress-phone", STUDY, "co_researcher", 390, 844, "light"),
    ("audit", f"{STUDY}/audit", "ethics_reviewer", 1440, 1100, "light"),
    ("log-phone", f"{STUDY}/log/holdWorkshop", "facilitator", 390, 844, "light"),
)


@contextmanager
def demo(home: Path) -> Iterator[dict[str, str]]:
    """A demo that runs; gives a sign-in link for each role, which works once."""
    home.chmod(0o755)  # PostgreSQL runs as another account where this runs as root
    run = [sys.executable, "-m", "service", "demo", "--port", "0"]
    process = subprocess.Popen(
        run, cwd=ROOT, env={"PARCYCLE_HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None  # noqa: S101 (it is a pipe)
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line)
            if "Or from a program" in line:
                break
        found = re.findall(r"^  (\w+) .*\n\s+(http\S+/sign-in/\S+)", "".join(said), re.MULTILINE)
        yield dict(reversed(found))  # the first of each role
    finally:
        process.terminate()
        process.wait()


def take(browser: Chrome, name: str, width: int, height: int) -> None:
    """What is to be seen now, without the bars to scroll by; a desk's page smaller than it is."""
    debug(browser, "Emulation.setScrollbarsHidden", hidden=True)
    scale = 0.7 if width > 1000 else 1
    seen = {"x": 0, "y": browser.execute_script("return scrollY"), "scale": scale}
    clip = seen | {"width": width, "height": height}
    picture = debug(browser, "Page.captureScreenshot", format="png", clip=clip)["data"]
    path = INTO / f"{name}.png"
    path.write_bytes(b64decode(picture))
    print(f"{path.relative_to(ROOT)}: {width} x {height}, {path.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    INTO.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="parcycle-pictures-") as folder,
        demo(Path(folder)) as links,
        chromium(Path(folder)) as browser,
    ):
        signed_in = ""
        for name, page, role, width, height, scheme in PICTURES:
            sized(browser, width, height)
            in_scheme(browser, scheme)
            if role != signed_in:
                browser.delete_all_cookies()
                browser.get(links[role])
                signed_in = role
            give_up = time.monotonic() + PATIENCE
            while True:
                browser.get(f"{links[role].partition('/sign-in')[0]}{page}")
                time.sleep(2)  # for the fonts, and for the stream to say that it is live
                if not browser.find_elements("css selector", "[data-status]"):
                    break  # else registers have not taken the study in yet
                if time.monotonic() > give_up:
                    raise SystemExit(f"{page} is not shown: {browser.title}")
            take(browser, name, width, height)


if __name__ == "__main__":
    main()
