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
from panels import FULL  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parents[1]
BOARDS = {"pipeline": pipeline, "live-charts": live_charts, "business": business, "slo": slo}


def built(module):
    """A dashboard whose panels have numbers, by which Grafana's links name them, and places without holes between them."""
    board = module.make().build()
    # How far down each column is filled.
    filled = [0] * FULL
    for number, panel in enumerate(board.panels, 1):
        panel.id_val = number
        place = panel.grid_pos
        width = range(FULL - place.w + 1)
        place.x = min(width, key=lambda x: (max(filled[x : x + place.w]), x))
        place.y = max(filled[place.x : place.x + place.w])
        filled[place.x : place.x + place.w] = [place.y + place.h] * place.w
    return board


#: What the SDK writes unasked, and Grafana's schema (of 12.1, which infra/grafana.Dockerfile names, or of 13) does not have.
UNKNOWN = {"auto", "auto_count", "auto_min", "footer", "placement"}


def known(value):
    """A part of a dashboard, as JSON, without those."""
    if isinstance(value, dict):
        # A legend has a placement, too, which is known.
        return {name: known(part) for name, part in value.items() if name not in UNKNOWN or "displayMode" in value}
    return [known(part) for part in value] if isinstance(value, list) else value


def texts():
    """Each file's text."""
    boards = {name: known(json.loads(JSONEncoder().encode(built(module)))) for name, module in BOARDS.items()}
    return {
        FOLDER / f"{name}.json": json.dumps(board, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
        for name, board in boards.items()
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
