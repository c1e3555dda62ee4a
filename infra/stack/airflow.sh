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
exec airflow standalone
