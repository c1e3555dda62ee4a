"""Listeners made up for the page: invented songs, a day's course, titles that a page must survive."""

import json
import math
import random

HOSTILE = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
LONG = "The Very Long Title That Goes On And On Because Nobody Stopped Its Writer In Time (Extended Remaster)"
RIGHT_TO_LEFT = "قمر فوق البحر"
SONGS = [
    ("Selin & the Tides", "Ölüdeniz"), ("June Okafor", "Paper Lanterns"), ("Kite Weather", "Night Bus"),
    ("فرقة النجوم", RIGHT_TO_LEFT), ("An Orchestra With An Equally Unreasonable Name", LONG),
    ("Robin Hale", "Undo"), ("Северный ветер", "Первый снег"), ("Seabright", "Halcyon Days"),
    ("Bobby Tables", HOSTILE), ("Marisol Vega", "Cuando llueve"), ("Ferns", "Slow Elevator"),
    ("Ida Lindqvist", "Ljusår"), ("The Understudies", "Second Row"), ("Copper Kettle", "Tin Roof Rain"),
    ("Amara Diallo", "Dunes"), ("North Pier", "Ferris Wheel at Noon"), ("Lo-Fi Lighthouse", "Keeper"),
    ("Tomasz Wilk", "Łódź o świcie"), ("Velvet Abacus", "Countdown"), ("Hana & Grey", "Umbrella Season"),
]
STATES = {
    "CA": 39, "TX": 30, "FL": 22, "NY": 20, "PA": 13, "IL": 12, "OH": 12, "GA": 11, "NC": 11, "MI": 10, "NJ": 9,
    "VA": 9, "WA": 8, "AZ": 7, "MA": 7, "TN": 7, "IN": 7, "MD": 6, "MO": 6, "WI": 6, "CO": 6, "MN": 6, "SC": 5,
    "AL": 5, "LA": 5, "KY": 5, "OR": 4, "OK": 4, "CT": 4, "UT": 3, "IA": 3, "NV": 3, "AR": 3, "MS": 3, "KS": 3,
    "NM": 2, "NE": 2, "ID": 2, "WV": 2, "HI": 1, "NH": 1, "ME": 1, "MT": 1, "RI": 1, "DE": 1, "SD": 1, "ND": 1,
    "AK": 1, "DC": 1, "VT": 1, "WY": 1,
}
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Feed:
    """Events of invented users, the same for the same seed."""

    def __init__(self, users, seed=7):
        self.random = random.Random(seed)
        states, weights = zip(*STATES.items())
        self.users = [
            {
                "userId": number + 1,
                "level": "paid" if self.random.random() < 0.4 else "free",
                "gender": self.random.choice("FM"),
                "state": self.random.choices(states, weights)[0],
                "sessionId": number + 1,
                "auth": "Logged In",
                "itemInSession": 0,
                "userAgent": "Mozilla/5.0",
            }
            for number in range(users)
        ]
        more = [(f"{artist} & friends", f"{song}, again") for artist, song in SONGS if song != HOSTILE]
        self.songs = SONGS + more + [(f"Quartet No. {n}", f"Movement {n}") for n in range(1, 400)]
        self.course = [(self.random.uniform(0, 2 * math.pi), self.random.uniform(8, 60)) for _ in self.songs]

    def weight(self, song, ts):
        """How much a song is played: some rise, some fall."""
        phase, hours = self.course[song]
        return (1 + 0.7 * math.sin(phase + 2 * math.pi * ts / (hours * HOUR_MS))) / (song + 3)

    def times(self, start, end, count):
        """Moments within [start, end): few at night, many in the evening."""
        moments = []
        while len(moments) < count:
            ts = self.random.uniform(start, end)
            if self.random.random() < 0.65 + 0.35 * math.sin(2 * math.pi * (ts / DAY_MS - 0.4)):
                moments.append(int(ts))
        return sorted(moments)

    def listens(self, start, end, count):
        """`count` plays within [start, end), ms."""
        weights, hour = [], None
        for ts in self.times(start, end, count):
            if hour != ts // 600_000:
                hour = ts // 600_000
                weights = [self.weight(song, ts) for song in range(len(self.songs))]
            artist, song = self.random.choices(self.songs, weights)[0]
            yield {"artist": artist, "song": song, "duration": 200.5, "ts": ts, **self.random.choice(self.users)}

    def views(self, start, end, count):
        """`count` page views within [start, end), ms."""
        for ts in self.times(start, end, count):
            yield {"ts": ts, "page": "Home", "method": "GET", "status": 200, **self.random.choice(self.users)}

    def play(self, ts, song, user):
        """One play by a user that is given by number."""
        artist, title = song
        return {"artist": artist, "song": title, "duration": 200.5, "ts": ts, **self.users[user]}


def write(path, events):
    """Writes events as JSON lines; gives the path."""
    with path.open("w") as output:
        for event in events:
            output.write(json.dumps(event) + "\n")
    return path
