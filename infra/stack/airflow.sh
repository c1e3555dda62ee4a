#!/bin/sh
# The entry of the Airflow image: one process for all of Airflow, with one user, whose password is in a file.
set -eu
umask 077
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=admin:admin
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=/tmp/passwords.json
python -c 'import json, pathlib; print(json.dumps({"admin": pathlib.Path("/run/secrets/airflow-password").read_text().strip()}))' \
  > "$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
airflow db migrate
# Tasks of a pool that does not exist wait for ever.
airflow pools set beatlytica_marts 1 "One process at a time builds the marts"
# Airflow by itself deletes nothing, and the disk is the broker's, too. Not a task: Airflow keeps its database from its tasks.
keep=60
while :; do
  airflow db clean --clean-before-timestamp "$(date -u -d "-$keep days" +%Y-%m-%dT%H:%M:%SZ)" --skip-archive --yes ||
    echo "Airflow's old runs could not be deleted; they are tried again in a week" >&2
  find "$AIRFLOW_HOME/logs" -type f -mtime "+$keep" -delete || true
  find "$AIRFLOW_HOME/logs" -mindepth 1 -type d -empty -delete || true
  sleep 604800
done &
exec airflow standalone
