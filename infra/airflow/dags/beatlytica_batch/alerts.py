"""Messages to the alert channel: the webhook of the connection `beatlytica_alerts`.

The connection's host is the webhook's whole address, its password a bearer token if the receiver wants one. The body is
`{"text": …}`, which Slack, Mattermost and Google Chat take.
"""

import http.client
import json
import logging
import urllib.request

CONNECTION = "beatlytica_alerts"
log = logging.getLogger(__name__)


def request(address, token, text):
    """The request that brings `text` to the channel."""
    if not address or not address.startswith(("http://", "https://")):
        raise ValueError(f"the host of the connection {CONNECTION} is the webhook's whole address, http:// or https://")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return urllib.request.Request(address, json.dumps({"text": text}).encode(), headers)


def channel():
    """Address and token of the channel, or None where no connection names one."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.exceptions import AirflowNotFoundException

    try:
        connection = Connection.get(CONNECTION)
    except (AirflowNotFoundException, AirflowRuntimeError):
        return None
    return connection.host, connection.password


def say(text):
    """Brings `text` to the channel and into the log. A channel that does not answer fails nothing."""
    log.warning(text)
    try:
        found = channel()
        if found is None:
            log.warning("no one is told: there is no connection %s", CONNECTION)
            return
        with urllib.request.urlopen(request(*found, text), timeout=10):
            pass
    except (OSError, ValueError, http.client.HTTPException) as error:
        # An error of urllib may hold the address, which is a secret for many receivers.
        log.error("the alert channel took no message: %s", type(error).__name__)


def task_failed(context):
    """Called by Airflow when a task has failed for good."""
    task, run = context["task_instance"], context["dag_run"]
    say(f"{task.dag_id}: task {task.task_id} failed in run {run.run_id} (attempt {task.try_number})")


def deadline_missed(context, after):
    """Called by Airflow when a run is not through in time."""
    run = context["dag_run"]
    run_id = run["dag_run_id"] if isinstance(run, dict) else run.run_id
    say(f"{context.get('dag_id') or 'beatlytica_hourly'}: run {run_id} is not through {after} after it was queued")
