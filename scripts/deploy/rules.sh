#!/usr/bin/env bash
# Prints the rules on the engine as managed Prometheus takes them. Those on the marts are left out: nothing in the cluster serves their figures.
set -euo pipefail
rules=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../infra/prometheus/rules" && pwd)
cat <<'YAML'
apiVersion: monitoring.googleapis.com/v1
kind: Rules
metadata:
  name: beatlytica
spec:
  groups:
YAML
for file in engine slo; do sed '1,/^groups:$/d; s/^./  &/' "$rules/$file.yml"; done
