# Grafana with the data source that reads the engine's JSON, so that a machine without a way to the internet has it.
FROM docker.io/grafana/grafana:12.1.1
RUN grafana cli --pluginsDir /usr/share/grafana/data/plugins-bundled plugins install yesoreyeram-infinity-datasource 3.6.0
ENV GF_PATHS_DATA=/var/lib/grafana/state GF_PATHS_PLUGINS=/usr/share/grafana/data/plugins-bundled
