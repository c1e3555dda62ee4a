"""The fake of Google Cloud Storage as a process, and a lake out of it by its own interface."""

import http.client
import json
import os
import subprocess
import urllib.parse

from harness import fake_gcs

OBJECTS = "/storage/v1/b/fake-bucket/o"


class Fake:
    """Google Cloud Storage in memory; it ends with its standard input. `arguments` are those that examples/fake_gcs.rs lists; `environment`
    is added to its own."""

    def __init__(self, *arguments, environment=()):
        self.child = subprocess.Popen(
            [fake_gcs(), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **dict(environment)}
        )
        self.endpoint = self.line()
        self.settings = {"lake__url": "gs://fake-bucket/lake", "gcs__endpoint": self.endpoint}

    def line(self):
        """The next line that it prints."""
        return self.child.stdout.readline().strip()

    def tell(self, command):
        """Changes its ways."""
        self.child.stdin.write(command + "\n")
        self.child.stdin.flush()
        assert self.line() == "done", f"the fake did not take {command!r}"

    def delete(self, name):
        """Deletes an object."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.endpoint).netloc, timeout=60)
        connection.request("DELETE", f"{OBJECTS}/{urllib.parse.quote(name, safe='')}")
        assert connection.getresponse().status == 204, name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(30)


def copy(endpoint, prefix, folder, token=None):
    """Copies all objects below `prefix` (which ends with a slash) into a folder, as `gcloud storage cp -r` would."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint).netloc, timeout=60)
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(path):
        connection.request("GET", OBJECTS + path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, f"{path}: {answer.status} {body[:200]}"
        return body

    query = {"prefix": prefix}
    while query:
        page = json.loads(get(f"?{urllib.parse.urlencode(query)}"))
        for item in page.get("items", []):
            path = folder / item["name"].removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(get(f"/{urllib.parse.quote(item['name'], safe='')}?alt=media"))
        query = {"prefix": prefix, "pageToken": page["nextPageToken"]} if "nextPageToken" in page else None
