"""Two tellings of the demo must end alike, and the second must have written nothing."""

from __future__ import annotations

import sys
from pathlib import Path


def figures(path: str) -> dict[str, str]:
    """The summary's lines as name and value."""
    lines = [line.partition("  ") for line in Path(path).read_text(encoding="utf-8").splitlines() if "  " in line]
    return {name.strip(): value.strip() for name, _, value in lines}


first, second = figures(sys.argv[1]), figures(sys.argv[2])
for name in ("digest of the store", "digest of the org"):
    if not first.get(name) or first[name] != second.get(name):
        sys.exit(f"The {name} is {first.get(name)} after the first telling and {second.get(name)} after the second.")
if not second.get("API calls used", "").endswith(", 0 of them writes"):
    sys.exit(f"The second telling wrote: {second.get('API calls used')}.")
sys.stdout.write("The second telling changed nothing: equal digests, no write calls.\n")
