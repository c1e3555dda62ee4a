# What the machine of the small profile runs to run everything else: compose, and all the files that infra/compose.yaml mounts, of one
# version. It writes them to the data disk, for Docker mounts paths of the machine.
FROM docker.io/library/docker:28.5.1-cli
RUN apk add --no-cache curl
COPY infra /opt/beatlytica/infra
COPY dashboards /opt/beatlytica/dashboards
COPY config /opt/beatlytica/config
COPY infra/stack/stack.sh /usr/local/bin/stack
ENTRYPOINT ["/bin/sh", "/usr/local/bin/stack"]
