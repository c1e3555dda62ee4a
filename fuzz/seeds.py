"""Writes the seeds of the fuzz targets from the simulator's events and the golden lake: `python fuzz/seeds.py EVENTS-FOLDER`.

EVENTS-FOLDER holds what `beatlytica simulate --output` wrote. What fuzzing found is kept beside them under other names.
"""

import json
import pathlib
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SEEDS = ROOT / "fuzz" / "seeds"
GOLDEN = ROOT / "tests" / "fixtures" / "golden-lake-v1" / "lake"
KINDS = ["listen_events", "page_view_events", "auth_events", "status_change_events"]


def keep(target, name, body):
    path = SEEDS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def decode(events):
    for number, kind in enumerate(KINDS):
        lines = (events / f"{kind}.jsonl").read_bytes().splitlines()[:40]
        shapes = {tuple(json.loads(line)): line for line in lines}
        for shape, line in enumerate(shapes.values()):
            keep("decode", f"{kind}-{shape}", bytes([number]) + line)
            keep("decode", f"{kind}-{shape}-repaired", bytes([number + 4]) + line + b"\n")
    odd = {
        "escapes": rb'{"ts":1,"city":"\ud83c\udfb5\u00e9\"\\\/\n","state":"\u0041"}',
        "numbers": b'{"ts":1.7e12,"sessionId":-2.50E1,"lon":1e-3,"lat":123456789012345678901234567890,"zip":1E2}',
        "members": b' { "x" : [ 1 , {"a":"}"} ] , "ts" : 5 , "ts" : 6 , "userId":"42", "" : null } \n',
        "types": b'{"ts":1,"success":true,"level":null,"userId":"","registration":-62135596800000}',
    }
    for name, value in odd.items():
        keep("decode", name, b"\x02" + value)


def record(value, flags=0, second=1, key=b""):
    head = bytes([flags | len(key) << 4 | bool(key), second]) + struct.pack("<H", len(value))
    return head + key + (b"" if flags & 2 else value)


def batch(events):
    for number, kind in enumerate(KINDS):
        lines = (events / f"{kind}.jsonl").read_bytes().splitlines()[:5]
        mixed = [record(line, flags=4 if at == 2 else 0, key=b"42") for at, line in enumerate(lines)]
        mixed += [record(b"", flags=2), record(b"{", second=0xE0), record(b'{"ts":1714953600000,"new":[1]}', second=0xF3)]
        keep("batch", kind, bytes([number | 4 | 3 << 4]) + b"".join(mixed))


def ledger():
    for path in sorted((GOLDEN / "ledger/v1").glob("*/e001/p00000/*.json")):
        name = str(path.relative_to(GOLDEN))
        start = path.name.split(".")[0]
        short = f"{path.parts[-4]}-{int(start)}"
        if path.name.endswith(".done.json"):
            entry = path.with_name(f"{start}.json")
            named = str(entry.relative_to(GOLDEN)).encode()
            keep("ledger", f"{short}-receipt", b"\x02" + named + b"\n" + entry.read_bytes().strip() + b"\n" + path.read_bytes())
        else:
            keep("ledger", f"{short}-entry", b"\x01" + name.encode() + b"\n" + path.read_bytes())
            for at, each in enumerate(json.loads(path.read_text())["objects"]):
                keep("ledger", f"{short}-name-{at}", b"\x00" + each.encode())
    keep("ledger", "epoch", b'\x03{"format":1,"cluster_id":"c","topic_id":null}\n')
    keep("ledger", "complete", b"\x00complete/v1/listen_events/e001/p00003/2024-05-06T23.json")
    for path in (GOLDEN / "state/v1").glob("*/e001/p00000/*"):
        body = subprocess.run(["zstd", "-dcq"], input=path.read_bytes()[28:], stdout=subprocess.PIPE, check=True).stdout
        keep("ledger", f"snapshot-{path.parts[-4]}", b"\x04" + body[: 32 << 10])


def settings_and_queries():
    keep("settings", "file", b"\x01" + (ROOT / "config" / "production.toml").read_bytes())
    keep("settings", "demo", b"\x01" + (ROOT / "config" / "demo.toml").read_bytes())
    keep("settings", "variables", b"\x00KAFKA__BROKERS=a:1,b:2\nLAKE__URL=gs://bucket/prefix\nLAKE__UPLOAD_INTERVAL=120s\n"
         b"MEMORY__BUDGET=1GiB\nHTTP__LISTEN=[::1]:80\nKAFKA__PROPERTIES__LINGER_MS=5\nWINDOWS__LATENESS=10m\n")
    keep("settings", "wrong", b"\x00LAKE__URL=\nKAFKA__BROKRES=x\nHTTP__LISTEN=1\nMEMORY__BUDGET=-1\nLOG__FORMAT=xml\n")
    queries = ["window=24h&limit=5&at=closed&q=joga+bj%C3%B6", "window=1h&by=level&detail=true&at=live", "", "x=1", "api/v1/stream?window=5m&at=live"]
    for number, query in enumerate(queries):
        keep("query", f"route-{number}", bytes([number]) + query.encode())


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    decode(folder)
    batch(folder)
    ledger()
    settings_and_queries()
