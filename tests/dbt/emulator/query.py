"""Runs queries in the emulator: names and statements as JSON on standard input; names and numbers of rows on standard output.

    query.py ENDPOINT PROJECT

Runs in the emulator's own environment.
"""

import json
import sys

from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery


def main():
    endpoint, project = sys.argv[1:]
    client = bigquery.Client(
        project=project, credentials=AnonymousCredentials(), client_options=ClientOptions(api_endpoint=endpoint)
    )
    rows = {name: len(list(client.query(statement).result(timeout=60))) for name, statement in json.load(sys.stdin).items()}
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main()
