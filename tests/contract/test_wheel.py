"""An installed wheel is whole: it finds its migrations and mappings without a checkout."""

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


def test_migrating_from_a_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
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
