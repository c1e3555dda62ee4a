# Grafana with the data sources of the dashboards (the engine's JSON, BigQuery), so that a machine without a way to the internet has them.
FROM docker.io/grafana/grafana:12.1.1
RUN grafana cli --pluginsDir /usr/share/grafana/data/plugins-bundled plugins install yesoreyeram-infinity-datasource 3.6.0 \
 && grafana cli --pluginsDir /usr/share/grafana/data/plugins-bundled plugins install grafana-bigquery-datasource 3.0.1
ENV GF_PATHS_DATA=/var/lib/grafana/state GF_PATHS_PLUGINS=/usr/share/grafana/data/plugins-bundled
