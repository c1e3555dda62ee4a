# Airflow with the DAGs, and dbt with the project, in an environment of its own: their dependencies do not agree.
#
#   docker build -f infra/airflow.Dockerfile -t beatlytica-airflow .
ARG BASE=docker.io/library/python:3.11.14-slim-bookworm

FROM ${BASE}
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY infra/airflow/requirements.txt /tmp/airflow.txt
COPY dbt/requirements.txt /tmp/dbt.txt
RUN python -m venv /opt/airflow/venv && /opt/airflow/venv/bin/pip install -r /tmp/airflow.txt \
 && python -m venv /opt/dbt/venv && /opt/dbt/venv/bin/pip install -r /tmp/dbt.txt \
 && useradd --uid 50000 --home-dir /opt/airflow --shell /usr/sbin/nologin airflow \
 && mkdir -p /var/lib/airflow && chown airflow /var/lib/airflow
COPY --chown=50000 infra/airflow /opt/beatlytica/infra/airflow
COPY --chown=50000 dbt /opt/beatlytica/dbt
# Airflow reads the tasks from this, so that no process has to run dbt to know them.
RUN BEATLYTICA__LAKE__URL=file:///lake DBT_TARGET_PATH=/opt/beatlytica/manifest DBT_LOG_PATH=/tmp/dbt \
    /opt/dbt/venv/bin/dbt --quiet parse --project-dir /opt/beatlytica/dbt --profiles-dir /opt/beatlytica/dbt
COPY infra/stack/airflow.sh /usr/local/bin/start-airflow
ENV PATH=/opt/airflow/venv/bin:/opt/dbt/venv/bin:$PATH \
    AIRFLOW_HOME=/var/lib/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/beatlytica/infra/airflow/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__COSMOS__ENABLE_TELEMETRY=False \
    BEATLYTICA_DBT_PROJECT=/opt/beatlytica/dbt \
    BEATLYTICA_DBT=/opt/dbt/venv/bin/dbt \
    BEATLYTICA_DBT_MANIFEST=/opt/beatlytica/manifest/manifest.json \
    AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION=False
USER 50000
ENTRYPOINT ["/bin/sh", "/usr/local/bin/start-airflow"]
