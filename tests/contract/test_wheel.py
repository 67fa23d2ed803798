"""An installed wheel is whole: pages, mappings, migrations and the CRM's package, all without a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MIGRATE = """
import sys
import connector
from connector.settings import default_mappings_dir
from connector.store.migrate import migrate, migrations_dir, schema_problem
from connector.store.unit_of_work import open_store
store = open_store("sqlite:///wheel.db")
migrate(store)
print(connector.__file__, migrations_dir(), default_mappings_dir(), schema_problem(store), sep="\\n")
"""


BESIDE = {"mappings": "mappings", "migrations": "migrations", "salesforce/force-app": "salesforce/force-app"}
"""Folders beside the package in a checkout, and where the wheel has them below connector/_data."""


def shipped() -> set[str]:
    """Every tracked file that an installation needs, code and data alike, under its name in the wheel."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    found = {name for name in listed if name.startswith(("connector/", "sandbox/")) and (ROOT / name).is_file()}
    for folder, place in BESIDE.items():
        inside = [name for name in listed if name.startswith(f"{folder}/") and (ROOT / name).is_file()]
        assert inside, folder
        found |= {f"connector/_data/{place}{name.removeprefix(folder)}" for name in inside}
    return found


def test_migrating_from_a_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
        assert shipped() - set(archive.namelist()) == set()
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", MIGRATE], check=False, capture_output=True, text=True, cwd=tmp_path, env=environ
    )
    assert done.returncode == 0, done.stderr
    package, migrations, mappings, problem = done.stdout.splitlines()
    assert Path(package) == installed / "connector" / "__init__.py"
    assert Path(migrations) == installed / "connector" / "_data" / "migrations"
    assert list((Path(mappings) / "sources").glob("*.yml"))
    assert problem == "None"
