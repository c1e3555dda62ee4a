"""The tables as DESIGN names them, written down independently of the engine's own schema."""

DEVICE = [("city", "city", "VARCHAR"), ("zip", "zip", "VARCHAR"), ("state", "state", "VARCHAR"),
          ("userAgent", "user_agent", "VARCHAR"), ("lon", "lon", "DOUBLE"), ("lat", "lat", "DOUBLE")]
USER = [("userId", "user_id", "BIGINT"), ("lastName", "last_name", "VARCHAR"),
        ("firstName", "first_name", "VARCHAR"), ("gender", "gender", "VARCHAR"),
        ("registration", "registration", "BIGINT"), ("tag", "tag", "VARCHAR")]
TRACK = [("artist", "artist", "VARCHAR"), ("song", "song", "VARCHAR"), ("duration", "duration", "DOUBLE")]
TIME = [("ts", "ts", "BIGINT"), ("sessionId", "session_id", "BIGINT")]
LEVEL = [("level", "level", "VARCHAR"), ("itemInSession", "item_in_session", "BIGINT")]
AUTH = [("auth", "auth", "VARCHAR")]

# Table -> (JSON member, lake column, type as compared). Points in time are compared as epoch milliseconds.
TABLES = {
    "listen_events": TRACK + TIME + AUTH + LEVEL + DEVICE + USER,
    "page_view_events": TIME + [("page", "page", "VARCHAR")] + AUTH
    + [("method", "method", "VARCHAR"), ("status", "status", "BIGINT")] + LEVEL + DEVICE + USER + TRACK,
    "auth_events": TIME + LEVEL + DEVICE + USER + [("success", "success", "BOOLEAN")],
    "status_change_events": TIME + AUTH + LEVEL + DEVICE + USER,
}
# Tables whose song and artist are repaired.
REPAIRED = ("listen_events", "page_view_events")
TIMESTAMPS = ("ts", "registration")
PARTITIONS = 4
MINUTE_MS = 60_000


def columns(table):
    """Names compared for `table`: its fields, and what arrived where repair changed it."""
    names = [column for _, column, _ in TABLES[table]]
    return names + (["song_raw", "artist_raw"] if table in REPAIRED else [])
