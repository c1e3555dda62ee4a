#!/usr/bin/env bash
# manifests.sh TAG: prints infra/k8s with the values of this deployment, secrets included; they go to kubectl by a pipe alone.
# The caller has the cluster's credentials (KUBECONFIG).
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
require_settings deploy
tag=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$root/infra/k8s" "$work/base"
# By themselves: within a here-document a call that fails would be an empty value.
brokers=$(field kafka brokers)
protocol=$(field kafka security_protocol)
mechanism=$(field kafka sasl_mechanism)
lake_url=$(output lake_url)
engine_account=$(output engine_account)
mkdir "$work/overlay"
"$root/scripts/deploy/rules.sh" > "$work/overlay/rules.yaml"
cat > "$work/overlay/engine.env" <<ENV
BEATLYTICA__KAFKA__BROKERS=$brokers
BEATLYTICA__KAFKA__SECURITY_PROTOCOL=$protocol
BEATLYTICA__KAFKA__SASL_MECHANISM=$mechanism
BEATLYTICA__LAKE__URL=$lake_url
ENV
cat > "$work/overlay/kustomization.yaml" <<YAML
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: beatlytica
resources: [../base, rules.yaml]
images:
  - name: beatlytica
    newName: $registry/engine
    newTag: $tag
configMapGenerator:
  - name: engine
    envs: [engine.env]
patches:
  - target: {kind: ServiceAccount, name: engine}
    patch: |-
      - {op: add, path: /metadata/annotations, value: {iam.gke.io/gcp-service-account: $engine_account}}
YAML
case $protocol in
ssl)
  in_cluster get secret kafka >/dev/null 2>&1 ||
    fail "the cluster has no secret kafka with the engine's client certificate" "docs/setup/kafka.md, \"Managed Service for Apache Kafka\", shows how to make it; then make deploy again"
  cat >> "$work/overlay/engine.env" <<ENV
BEATLYTICA__KAFKA__SSL_CERTIFICATE_LOCATION=/var/run/kafka/tls.crt
BEATLYTICA__KAFKA__SSL_KEY_LOCATION=/var/run/kafka/tls.key
ENV
  ;;
sasl_ssl)
  umask 077
  versions=()
  for part in username password; do
    { version=$(gcloud secrets versions describe latest --secret="$NAME-kafka-$part" --project="$PROJECT" --format='value(name)') &&
      gcloud secrets versions access "${version##*/}" --secret="$NAME-kafka-$part" --project="$PROJECT" > "$work/overlay/$part"; } ||
      fail "secret $NAME-kafka-$part cannot be read" "you need roles/secretmanager.admin on $PROJECT"
    versions+=("${version##*/}")
  done
  # A pod reads its environment at its start alone: a new value makes a new pod. By its number, for a digest would help to guess it.
  cat >> "$work/overlay/kustomization.yaml" <<YAML
  - target: {kind: StatefulSet, name: engine}
    patch: |-
      - {op: add, path: /spec/template/metadata/annotations, value: {beatlytica/kafka-secret: "${versions[0]}-${versions[1]}"}}
YAML
  printf 'secretGenerator:\n  - name: kafka\n    options: {disableNameSuffixHash: true}\n    files: [username, password]\n' >> "$work/overlay/kustomization.yaml"
  ;;
esac
kubectl kustomize "$work/overlay"
