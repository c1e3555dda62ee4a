# Managed Kafka (or your own), the engine on GKE Autopilot, Airflow by Cloud Composer or on a machine, managed Prometheus.
locals {
  labels  = merge(var.labels, { app = var.name, profile = "scale" })
  bucket  = coalesce(var.lake_bucket, "${var.project}-${var.name}-lake")
  managed = var.external_brokers == null
}

# Its number, for the budget alone: asking for it takes an API that a fresh project does not have on when only a plan is wanted.
data "google_project" "this" {
  count      = var.billing_account == null ? 0 : 1
  project_id = var.project
}

module "services" {
  source  = "../../modules/services"
  project = var.project
  services = concat([
    "artifactregistry.googleapis.com", "bigquery.googleapis.com", "billingbudgets.googleapis.com", "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com", "container.googleapis.com", "iam.googleapis.com", "iap.googleapis.com", "logging.googleapis.com",
    "monitoring.googleapis.com", "oslogin.googleapis.com", "secretmanager.googleapis.com", "storage.googleapis.com",
    ],
    local.managed ? ["managedkafka.googleapis.com", "privateca.googleapis.com"] : [],
    var.airflow == "composer" ? ["composer.googleapis.com"] : [],
  )
}

module "network" {
  source     = "../../modules/network"
  project    = var.project
  region     = var.region
  name       = var.name
  pods_cidr  = "10.24.0.0/16"
  nat        = !local.managed # a broker elsewhere is reached over the internet, outward only
  depends_on = [module.services]
}

module "identities" {
  source     = "../../modules/identities"
  project    = var.project
  name       = var.name
  depends_on = [module.services]
}

import {
  for_each = var.adopt_lake ? toset([local.bucket]) : toset([])
  to       = module.lake.google_storage_bucket.lake
  id       = "${var.project}/${each.value}"
}

module "lake" {
  source           = "../../modules/lake"
  project          = var.project
  name             = local.bucket
  location         = var.region
  labels           = local.labels
  kms_key          = var.kms_key
  soft_delete_days = var.soft_delete_days
  writers          = { engine = module.identities.engine.member }
  readers          = { batch = module.identities.batch.member }
  writer_role      = module.identities.lake_writer_role
  reader_role      = module.identities.lake_reader_role
  depends_on       = [module.services]
}

module "bigquery" {
  source       = "../../modules/bigquery"
  project      = var.project
  name         = var.name
  location     = var.region
  labels       = local.labels
  kms_key      = var.kms_key
  batch_member = module.identities.batch.member
  viewers      = var.mart_viewers
  depends_on   = [module.services]
}

module "registry" {
  source     = "../../modules/registry"
  project    = var.project
  region     = var.region
  name       = var.name
  labels     = local.labels
  kms_key    = var.kms_key
  readers    = { node = module.identities.node.member, batch = module.identities.batch.member }
  depends_on = [module.services]
}

module "broker" {
  source = "../../modules/broker"
  count  = local.managed ? 1 : 0

  project        = var.project
  region         = var.region
  name           = var.name
  subnetwork     = module.network.subnetwork
  vcpus          = var.kafka_vcpus
  memory_gib     = var.kafka_memory_gib
  partitions     = var.partitions
  client_ca_pool = var.client_ca_pool
  kms_key        = var.kms_key
  labels         = local.labels
}

module "engine" {
  source              = "../../modules/engine"
  project             = var.project
  region              = var.region
  name                = var.name
  network             = module.network.network
  subnetwork          = module.network.subnetwork
  node_account        = module.identities.node.email
  engine_account      = module.identities.engine
  deletion_protection = var.deletion_protection
  labels              = local.labels
  kms_key             = var.kms_key
}

# Managed Prometheus runs as the nodes' account: it writes what it collects, and its rules read that. The engine's pods need neither.
resource "google_project_iam_member" "node" {
  for_each = toset(["roles/container.defaultNodeServiceAccount", "roles/monitoring.viewer"])

  project = var.project
  role    = each.value
  member  = module.identities.node.member
}

# `make status`, `logs` and `tunnel` ask Terraform's state where everything is, and Compute Engine for the project before they sign in.
resource "google_storage_bucket_iam_member" "state" {
  for_each = toset(var.operators)

  bucket = "${var.project}-${var.name}-state"
  role   = "roles/storage.objectViewer"
  member = each.value
}

resource "google_project_iam_member" "operator" {
  for_each = {
    for pair in setproduct(var.operators, ["roles/compute.viewer", "roles/container.developer", "roles/monitoring.viewer", "roles/logging.viewer"]) : join(" ", pair) => pair
  }

  project = var.project
  role    = each.value[1]
  member  = each.value[0]
}

module "airflow" {
  source = "../../modules/airflow"
  count  = var.airflow == "composer" ? 1 : 0

  project         = var.project
  region          = var.region
  name            = var.name
  network         = module.network.network
  subnetwork      = module.network.subnetwork
  service_account = module.identities.batch.email
  image_version   = var.composer_image_version
  pypi_packages   = var.composer_packages
  environment = {
    BEATLYTICA__LAKE__URL        = module.lake.url
    BEATLYTICA_GCP_PROJECT       = var.project
    BEATLYTICA_BIGQUERY_LOCATION = var.region
    BEATLYTICA_DATASET           = module.bigquery.dataset
    DBT_TARGET                   = "bigquery"
  }
  labels  = local.labels
  kms_key = var.kms_key
}

module "airflow_host" {
  source = "../../modules/host"
  count  = var.airflow == "vm" ? 1 : 0

  project         = var.project
  zone            = "${var.region}-b"
  name            = "${var.name}-airflow"
  machine_type    = "e2-medium"
  subnetwork      = module.network.subnetwork
  ssh_tag         = module.network.ssh_tag
  service_account = module.identities.batch.email
  stack_image     = "${module.registry.images}/stack:${var.image_tag}"
  profiles        = ["airflow"]
  operators       = var.operators
  environment     = merge(local.batch_environment, { BEATLYTICA_IMAGES = module.registry.images, MIRROR = "${module.registry.mirror}/" })
  labels          = local.labels
  kms_key         = var.kms_key
}

locals {
  batch_environment = {
    BEATLYTICA_LAKE_URL  = module.lake.url
    GOOGLE_CLOUD_PROJECT = var.project
    BIGQUERY_LOCATION    = var.region
    BEATLYTICA_DATASET   = module.bigquery.dataset
    DBT_TARGET           = "bigquery"
    SECRET_PREFIX        = var.name
  }
  # Who reads which secret: an own broker's sign-in goes to the engine, Airflow's password to its machine.
  secrets = merge(
    local.managed ? {} : { for name in ["kafka-username", "kafka-password"] : name => module.identities.engine.member },
    var.airflow == "vm" ? { "airflow-password" = module.identities.batch.member } : {},
  )
}

resource "google_secret_manager_secret" "this" {
  for_each = local.secrets

  project   = var.project
  secret_id = "${var.name}-${each.key}"
  labels    = local.labels

  replication {
    user_managed {
      replicas {
        location = var.region
        dynamic "customer_managed_encryption" {
          for_each = var.kms_key == null ? [] : [var.kms_key]
          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }

  depends_on = [module.services]
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.secrets

  project   = var.project
  secret_id = google_secret_manager_secret.this[each.key].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}

# As administrators of the machine they can read these anyway; so they need not go round.
resource "google_secret_manager_secret_iam_member" "operator" {
  for_each = {
    for pair in setproduct(var.operators, [for name in keys(local.secrets) : name if name == "airflow-password"]) : join(" ", pair) => pair
  }

  project   = var.project
  secret_id = google_secret_manager_secret.this[each.value[1]].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value[0]
}

module "observability" {
  source          = "../../modules/observability"
  project         = var.project
  name            = var.name
  project_number  = one(data.google_project.this[*].number)
  bucket          = module.lake.bucket
  alert_email     = var.alert_email
  billing_account = var.billing_account
  budget          = var.budget
  currency        = var.currency
  labels          = local.labels
  depends_on      = [module.services]
}
