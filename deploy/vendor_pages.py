"""Refreshes what the pages and their tests take from others, from the npm packages named here.

    python deploy/vendor_pages.py

Needs npm. The fonts of the pages go to `service/pages/static/fonts`, axe-core, by which the tests
look for barriers, to `tests/vendored`; copied as published, byte for byte. `MANIFEST.json` beside
them names each with its package, version, licence and SHA-256; LICENSES.txt holds the licences.
"""

import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
COMMAND = "python deploy/vendor_pages.py"
Taken = dict[str, tuple[str, dict[str, str]]]  # package: (version, the files taken and their names)
FONTS: Taken = {
    "@fontsource-variable/atkinson-hyperlegible-next": (
        "5.3.0",
        {"files/atkinson-hyperlegible-next-latin-wght-normal.woff2": "atkinson.woff2"},
    ),
    "@fontsource-variable/newsreader": (
        "5.3.0",
        {"files/newsreader-latin-wght-normal.woff2": "newsreader.woff2"},
    ),
}
AXE: Taken = {"axe-core": ("4.14.1", {"axe.min.js": "axe.min.js"})}


def main() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is not found: install Node.js, and run this again.")
    with TemporaryDirectory() as folder:
        wanted = [f"{name}@{version}" for name, (version, _) in {**FONTS, **AXE}.items()]
        install = [npm, "install", "--ignore-scripts", "--no-package-lock", "--prefix", folder]
        subprocess.run([*install, *wanted], check=True)
        modules = Path(folder) / "node_modules"
        vendor(modules, FONTS, ROOT / "service" / "pages" / "static" / "fonts")
        vendor(modules, AXE, ROOT / "tests" / "vendored")


def vendor(modules: Path, packages: Taken, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, str]] = {}
    texts = []
    for name, (version, taken) in packages.items():
        licence = json.loads((modules / name / "package.json").read_text())["license"]
        found = sorted(file for file in (modules / name).glob("LICENSE*") if file.is_file())
        text = "\n".join(file.read_text(encoding="utf-8") for file in found)
        texts.append(f"{name} {version} ({licence})\n\n{text}")
        for path, as_ in taken.items():
            shutil.copyfile(modules / name / path, into / as_)
            files[as_] = {
                "name": name,
                "version": version,
                "licence": licence,
                "source": path,
                "sha256": sha256((into / as_).read_bytes()).hexdigest(),
            }
    licences = into / "LICENSES.txt"
    licences.write_text(("\n" + "=" * 80 + "\n\n").join(texts), encoding="utf-8")
    files["LICENSES.txt"] = {"sha256": sha256(licences.read_bytes()).hexdigest()}
    manifest = {"refresh": COMMAND, "files": files}
    (into / "MANIFEST.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
