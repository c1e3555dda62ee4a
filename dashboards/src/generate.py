"""Writes dashboards/*.json; with --check says whether they are what these scripts make."""

import json
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)

from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402

import business  # noqa: E402
import live_charts  # noqa: E402
import pipeline  # noqa: E402
import slo  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parents[1]
BOARDS = {"pipeline": pipeline, "live-charts": live_charts, "business": business, "slo": slo}


def texts():
    """Each file's text."""
    return {
        FOLDER / f"{name}.json": JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(made.make().build()) + "\n"
        for name, made in BOARDS.items()
    }


def main():
    stale = [path for path, text in texts().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path} is stale; `make dashboards` writes it anew", file=sys.stderr)
        return 1 if stale else 0
    for path, text in texts().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
