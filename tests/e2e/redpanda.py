"""Redpanda in a container, in place of the Kafka node of harness.py."""

import socket
import subprocess

from harness import Broker, free_ports, wait_until

#: The version that infra/compose.yaml runs.
IMAGE = "docker.io/redpandadata/redpanda:v25.2.1"


class Redpanda(Broker):
    """One node on the host's network; Kafka's own tools work on it too."""

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        rpc, admin, proxy, schemas = free_ports(4)
        command = [
            "docker", "run", "--detach", "--rm", "--network", "host", IMAGE, "redpanda", "start", "--mode", "dev-container", "--smp", "1",
            "--memory", "1G", "--overprovisioned", "--kafka-addr", self.address, "--advertise-kafka-addr", self.address,
            "--rpc-addr", f"127.0.0.1:{rpc}", "--advertise-rpc-addr", f"127.0.0.1:{rpc}", "--pandaproxy-addr", f"127.0.0.1:{proxy}",
            "--schema-registry-addr", f"127.0.0.1:{schemas}", "--set", f'redpanda.admin=[{{"address":"127.0.0.1","port":{admin}}}]',
            "--set", "redpanda.auto_create_topics_enabled=false",
        ]
        self.container = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        wait_until(self.answers, "Redpanda", 120)
        return self

    def __exit__(self, *_):
        subprocess.run(["docker", "stop", self.container], check=True, capture_output=True)

    def answers(self):
        host, port = self.address.split(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            return False
        return True
