"""Whether an hour of events is complete, by the markers that the engine writes into the lake.

`complete/v1/<topic>/<epoch>/<partition>/<hour>.json` says that no more records of that hour, nor of any hour before, are
expected from the partition. A partition that the ledger does not know has no records and is not waited for.
"""

import datetime
import pathlib
import re
import urllib.parse

TOPICS = ("listen_events", "page_view_events", "auth_events", "status_change_events")
EPOCH = re.compile(r"e\d{3,}")
PARTITION = re.compile(r"p\d{5,}")


def hour_name(hour):
    """An hour as markers name it; names sort as hours do."""
    return hour.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H")


def chains(lake):
    """`topic/epoch/partition` of every partition that the newest epoch of its topic knows."""
    found = []
    for topic in TOPICS:
        epochs = [name for name in lake.folders(f"ledger/v1/{topic}/") if EPOCH.fullmatch(name)]
        if epochs:
            newest = max(epochs, key=lambda name: int(name[1:]))
            partitions = lake.folders(f"ledger/v1/{topic}/{newest}/")
            found += [f"{topic}/{newest}/{name}" for name in sorted(partitions) if PARTITION.fullmatch(name)]
    return found


def waiting_for(lake, hour):
    """The partitions that have not yet said that `hour` is complete; for a lake without any, the topics."""
    known = chains(lake)
    if not known:
        return list(TOPICS)
    return [chain for chain in known if not lake.any_from(f"complete/v1/{chain}/", f"{hour_name(hour)}.json")]


class LocalLake:
    """A lake in a folder."""

    def __init__(self, root):
        self.root = pathlib.Path(root)

    def folders(self, prefix):
        """Names of the folders directly below `prefix`."""
        folder = self.root / prefix
        return [entry.name for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []

    def any_from(self, prefix, name):
        """Whether `prefix` holds a file of that name or of one that sorts behind it."""
        folder = self.root / prefix
        return folder.is_dir() and any(entry.name >= name for entry in folder.glob("*.json"))


class BucketLake:
    """A lake on Google Cloud Storage, with the credentials that the environment has."""

    def __init__(self, bucket, prefix, client=None):
        if client is None:
            from google.cloud import storage

            client = storage.Client()
        self.client, self.bucket, self.root = client, bucket, f"{prefix}/" if prefix else ""

    def folders(self, prefix):
        """Names of the folders directly below `prefix`."""
        listing = self.client.list_blobs(self.bucket, prefix=self.root + prefix, delimiter="/")
        # The client fills in the prefixes while the pages are read.
        for _ in listing:
            pass
        return [found.rstrip("/").rsplit("/", 1)[-1] for found in listing.prefixes]

    def any_from(self, prefix, name):
        """Whether `prefix` holds an object of that name or of one that sorts behind it."""
        folder = self.root + prefix
        return any(self.client.list_blobs(self.bucket, prefix=folder, start_offset=folder + name, max_results=1))


def open_lake(url):
    """The lake at `url`: `file:///folder` or `gs://bucket/prefix`, as the engine's `lake.url`."""
    parts = urllib.parse.urlsplit(url or "")
    path = urllib.parse.unquote(parts.path)
    if parts.scheme == "file" and path.startswith("/") and not parts.netloc:
        return LocalLake(path)
    if parts.scheme == "gs" and parts.netloc:
        return BucketLake(parts.netloc, path.strip("/"))
    raise ValueError(f"BEATLYTICA__LAKE__URL is {url!r}: name the lake, e.g. file:///data/lake or gs://bucket/prefix")
