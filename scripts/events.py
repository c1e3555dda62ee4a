#!/usr/bin/env python3
"""Events that fit every topic, for ever, their times counted up from now: events.py RATE."""

import json
import random
import sys
import time

rate = int(sys.argv[1])
began = time.time()
try:
    number = 0
    while True:
        user = int(random.paretovariate(1.2)) % 5000
        song = int(random.paretovariate(0.9)) % 900
        print(json.dumps({
            "ts": round((began + number / rate) * 1000), "userId": user, "sessionId": user, "level": ("free", "paid")[user % 3 == 0],
            "gender": "FM"[user % 2], "state": ("CA", "NY", "TX", "WA", "FL")[user % 5],
            "artist": f"Artist {song % 120}", "song": f"Song {song}", "duration": 200.5,
        }))
        number += 1
except BrokenPipeError:
    sys.stderr.close()
