"""Refreshes GraphiQL in `service/static/graphiql` from the npm packages named here.

    python deploy/vendor_graphiql.py

Needs npm. The files are copied as published, byte for byte; `service/static/MANIFEST.json` names
each with its package, version, licence and SHA-256, and LICENSES.txt holds the licence texts of
the packages and of all that is bundled into them. GraphiQL 4 is the last with a bundle that a page
can load without a build step of ours.
"""

import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

STATIC = Path(__file__).resolve().parent.parent / "service" / "static"
COMMAND = "python deploy/vendor_graphiql.py"
PACKAGES = {  # package: (version, the files taken)
    "graphiql": ("4.1.2", ("graphiql.min.js", "graphiql.min.css")),
    "react": ("18.3.1", ("umd/react.production.min.js",)),
    "react-dom": ("18.3.1", ("umd/react-dom.production.min.js",)),
    "graphql-ws": ("6.4.2", ("umd/graphql-ws.min.js",)),
}
# Fonts inside graphiql.min.css, which npm does not know of
FONTS = """Roboto, Copyright 2011 Google Inc.: Apache License 2.0.
Fira Code, Copyright 2014-2020 The Fira Code Project Authors: SIL Open Font License 1.1.
"""


def main() -> None:
    with TemporaryDirectory() as folder:
        wanted = [f"{name}@{version}" for name, (version, _) in PACKAGES.items()]
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit("npm is not found: install Node.js, and run this again.")
        install = [npm, "install", "--ignore-scripts", "--no-package-lock", "--prefix", folder]
        subprocess.run([*install, *wanted], check=True)
        vendor(Path(folder) / "node_modules", STATIC / "graphiql")


def vendor(modules: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, str]] = {}
    for name, (version, paths) in PACKAGES.items():
        licence = json.loads((modules / name / "package.json").read_text())["license"]
        for path in paths:
            copied = into / Path(path).name
            shutil.copyfile(modules / name / path, copied)
            files[f"graphiql/{copied.name}"] = {
                "name": name,
                "version": version,
                "licence": licence,
                "source": path,
                "sha256": sha256(copied.read_bytes()).hexdigest(),
            }
    licences = into / "LICENSES.txt"
    licences.write_text(licence_texts(modules), encoding="utf-8")
    files["graphiql/LICENSES.txt"] = {"sha256": sha256(licences.read_bytes()).hexdigest()}
    manifest = {"refresh": COMMAND, "files": files}
    (STATIC / "MANIFEST.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def licence_texts(modules: Path) -> str:
    """Of every package installed, since a bundle holds what it depends on."""
    texts = ["Fonts in graphiql.min.css\n\n" + FONTS]
    for described in sorted([*modules.glob("*/package.json"), *modules.glob("@*/*/package.json")]):
        package = json.loads(described.read_text(encoding="utf-8"))
        found = sorted(described.parent.glob("[Ll][Ii][Cc][Ee][Nn][CcSs][Ee]*"))
        text = "\n".join(file.read_text(encoding="utf-8") for file in found if file.is_file())
        text = text or "(the package has no licence file; its package.json names the licence)\n"
        licence = package.get("license", "see below")
        texts.append(f"{package['name']} {package['version']} ({licence})\n\n{text}")
    return ("\n" + "=" * 80 + "\n\n").join(texts)


if __name__ == "__main__":
    main()
