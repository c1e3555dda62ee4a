# Managed Service for Apache Kafka, reached over the private network with TLS; the engine shows a client certificate, so that there is
# no password and no key file. A Redpanda or Kafka of one's own needs none of this: see `external_brokers` of the scale environment.
locals {
  topics = ["listen_events", "page_view_events", "auth_events", "status_change_events"]

  # ACL id => who may do what there; the engine what docs/operations.md says and no more.
  acls = merge(
    { for topic in local.topics : "topic/${topic}" => concat(
      [for operation in ["READ", "DESCRIBE_CONFIGS"] : { principal = var.engine_principal, operation = operation }],
      [for pair in setproduct(var.producer_principals, ["WRITE", "DESCRIBE"]) : { principal = pair[0], operation = pair[1] }],
    ) },
    { "consumerGroup/${var.group_id}" = [
      for operation in ["READ"] : { principal = var.engine_principal, operation = operation }
    ] },
  )
}

resource "google_managed_kafka_cluster" "this" {
  project    = var.project
  cluster_id = var.name
  location   = var.region
  labels     = var.labels

  capacity_config {
    vcpu_count   = tostring(var.vcpus)
    memory_bytes = tostring(var.memory_gib * 1024 * 1024 * 1024)
  }

  gcp_config {
    kms_key = var.kms_key
    access_config {
      network_configs {
        subnet = var.subnetwork
      }
    }
  }

  rebalance_config {
    mode = "AUTO_REBALANCE_ON_SCALE_UP"
  }

  # The certificate's common name is the principal: CN=engine is User:engine.
  tls_config {
    ssl_principal_mapping_rules = "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT"
    trust_config {
      cas_configs {
        ca_pool = var.client_ca_pool
      }
    }
  }
}

resource "google_managed_kafka_topic" "this" {
  for_each = toset(local.topics)

  project            = var.project
  location           = var.region
  cluster            = google_managed_kafka_cluster.this.cluster_id
  topic_id           = each.value
  partition_count    = var.partitions
  replication_factor = 3

  # The log must be immutable and outlive any outage of the engine.
  configs = {
    "cleanup.policy"      = "delete"
    "retention.ms"        = tostring(var.retention_hours * 3600000)
    "min.insync.replicas" = "2"
  }
}

resource "google_managed_kafka_acl" "this" {
  for_each = local.acls

  project  = var.project
  location = var.region
  cluster  = google_managed_kafka_cluster.this.cluster_id
  acl_id   = each.key

  dynamic "acl_entries" {
    for_each = each.value
    content {
      principal       = "User:${acl_entries.value.principal}"
      operation       = acl_entries.value.operation
      permission_type = "ALLOW"
      host            = "*"
    }
  }
}
