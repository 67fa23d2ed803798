"""The ``connector`` command, also as ``python -m connector``."""

import sys


def run() -> None:
    """Ends with the command's exit code, also where it is stopped while it is still being loaded."""
    try:
        from connector.cli import INTERRUPTED, main
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    run()
