"""A lake out of the fake of Google Cloud Storage, by its own interface."""

import http.client
import json
import urllib.parse

OBJECTS = "/storage/v1/b/fake-bucket/o"


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
