"""Five days of a quarter of the sessions of Eventsim's output, in two parts, with what makes a lake hard.

The first part holds the first three days, but for whole sessions and single pages that come late, with the second part.
Producers repeat some records, at once or later; some records do not decode; a guest registers and another listener cancels.
Some records are odd but decode: what is in the lake once is there for good, so no model may fail at it.
"""

import json
import subprocess

from tables import TABLES
from truth import input_file

START = 1_714_953_600_000
HOUR = 3_600_000
FIRST_PART = 72 * HOUR
SECOND_PART = 120 * HOUR
# Every so many records is repeated at once, and every so many later.
REPEATED = {"listen_events": 500, "page_view_events": 800, "auth_events": 20, "status_change_events": 5}
REPEATED_LATER = {"listen_events": 700, "page_view_events": 900, "auth_events": 30, "status_change_events": 7}
BROKEN = b'{"ts":1714960000000,"sessionId":\n'


def records(table):
    """Records of the scenario's sessions: (ts, session, line)."""
    source = subprocess.Popen(["zstd", "-dcq", "--long=27", str(input_file(table))], stdout=subprocess.PIPE)
    for line in source.stdout:
        record = json.loads(line)
        if record["ts"] >= START + SECOND_PART:
            break
        if record["sessionId"] % 4 == 0:
            yield record["ts"], record["sessionId"], line
    source.stdout.close()
    source.wait()


def page(ts, session, item, name, auth, user=None):
    """A page view as Eventsim writes it."""
    record = {
        "ts": START + ts, "sessionId": session, "page": name, "auth": auth, "method": "GET", "status": 200, "level": "free",
        "itemInSession": item, "city": "Salem", "zip": "01970", "state": "MA", "userAgent": "none", "lon": -70.9, "lat": 42.5,
    }
    if user is not None:
        record |= {"userId": user, "lastName": "Poe", "firstName": "Ann", "gender": "F", "registration": START + ts}
    return (json.dumps(record) + "\n").encode()


GUESTS = [
    page(10 * HOUR, 9_000_001, 0, "Home", "Guest"),
    page(10 * HOUR + 5000, 9_000_001, 1, "Register", "Guest"),
    page(10 * HOUR + 9000, 9_000_001, 2, "Submit Registration", "Logged In", 900_001),
    page(11 * HOUR, 9_000_002, 0, "About", "Guest"),
    page(12 * HOUR, 9_000_003, 0, "Cancellation Confirmation", "Cancelled", 900_002),
]


def play(ts, user, session=None, item=None, **fields):
    """A play, `ts` in milliseconds since 1970. Fields that are None are not in it."""
    record = {
        "artist": "Odd", "song": "Records", "duration": 200.0, "ts": ts, "sessionId": session, "auth": "Logged In", "level": "paid",
        "itemInSession": item, "city": "Salem", "zip": "01970", "state": "MA", "userAgent": "none", "lon": -70.9, "lat": 42.5,
        "userId": user, "lastName": "Poe", "firstName": "Ann", "gender": "F", "registration": START,
    }
    return (json.dumps({name: value for name, value in (record | fields).items() if value is not None}) + "\n").encode()


# Before all others, so that the second part touches an hour only where it is meant to.
ODD_START = START - 160 * HOUR
LENGTHLESS, PAUSING, ODD_NUMBERS = 9_000_010, 9_000_011, 9_000_014
# A play without a length, whose session goes on in the second part after longer than a song may be. A session that pauses for 100
# hours, at a point that differs by less than a place's key tells.
ODD_FIRST = [
    play(ODD_START, 900_011, PAUSING, 0, lat=42.500_000_09),
    play(ODD_START + 97 * HOUR, 900_010, LENGTHLESS, 0, duration=None),
]
LARGEST = 2**63 - 1
#: Plays at times that no mart holds.
BEYOND = [play(ts, 900_013, 9_000_013, item) for item, ts in enumerate((0, 946_684_799_999, 4_102_444_800_000, 253_402_300_799_999))]
ODD_SECOND = [
    play(ODD_START + 100 * HOUR, 900_011, PAUSING, 1),
    play(ODD_START + 100 * HOUR, 900_010, LENGTHLESS, 1),
    # Neither is a copy of the other.
    *[play(START + 80 * HOUR, 900_012)] * 2,
    *BEYOND,
    # An artist of whom nobody had heard leads the charts.
    *(play(START + 100 * HOUR, 900_100 + number, 9_000_100 + number, 0, artist="New", song="Hit") for number in range(100)),
    # Two levels at one moment.
    *(play(START + 95 * HOUR, 900_015, 9_000_015 + number, 0, level=level) for number, level in enumerate(("free", "paid"))),
    *(play(START + (80 + number) * HOUR, 900_014, ODD_NUMBERS, number, **fields) for number, fields in enumerate((
        {"duration": 1e17}, {"duration": 1.7e308}, {"duration": -200.0}, {"lat": 1e14}, {"lon": -1.7e308}, {"lat": 90.5, "lon": 180.0},
    ))),
    play(START + 90 * HOUR, LARGEST, LARGEST, LARGEST),
    play(START + 91 * HOUR, -LARGEST - 1, -LARGEST - 1, -LARGEST - 1, registration=-62_135_596_800_000),
]


def write(folder):
    """Writes both parts; gives them as table -> [file], and how many copies each table has."""
    parts, copies = ({}, {}), {}
    for table in TABLES:
        first, second = [], []
        copies[table] = 0
        for number, (ts, session, line) in enumerate(records(table)):
            late_session = session % 160 == 0 and ts < START + FIRST_PART
            late_page = table == "page_view_events" and number % 97 == 0 and b'"NextSong"' not in line
            early = ts < START + FIRST_PART and not late_session and not late_page
            (first if early else second).append(line)
            if early and number % REPEATED[table] == 1:
                first.append(line)
                copies[table] += 1
            if early and number % REPEATED_LATER[table] == 2:
                second.append(line)
                copies[table] += 1
        if table == "page_view_events":
            first += GUESTS[:2]
            second += GUESTS[2:]
        if table == "listen_events":
            first += [BROKEN, *ODD_FIRST]
            second += [BROKEN, *ODD_SECOND]
        for part, lines, name in zip(parts, (first, second), ("first", "second"), strict=True):
            path = folder / f"{table}-{name}.jsonl"
            path.write_bytes(b"".join(lines))
            part[table] = [path]
    return *parts, copies
