# One machine that runs everything; the lake, BigQuery and the registry beside it. For a demo or a small service.
locals {
  labels = merge(var.labels, { app = var.name, profile = "small" })
  bucket = coalesce(var.lake_bucket, "${var.project}-${var.name}-lake")
}

# Its number, for the budget alone: asking for it takes an API that a fresh project does not have on when only a plan is wanted.
data "google_project" "this" {
  count      = var.billing_account == null ? 0 : 1
  project_id = var.project
}

module "services" {
  source  = "../../modules/services"
  project = var.project
  services = [
    "artifactregistry.googleapis.com", "bigquery.googleapis.com", "billingbudgets.googleapis.com", "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com", "iam.googleapis.com", "iap.googleapis.com", "logging.googleapis.com", "monitoring.googleapis.com",
    "oslogin.googleapis.com", "secretmanager.googleapis.com", "storage.googleapis.com",
  ]
}

module "network" {
  source     = "../../modules/network"
  project    = var.project
  region     = var.region
  name       = var.name
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

# The machine has one account for all its containers, the engine's. dbt in it only reads the lake, which the engine's role includes.
module "lake" {
  source           = "../../modules/lake"
  project          = var.project
  name             = local.bucket
  location         = var.region
  labels           = local.labels
  kms_key          = var.kms_key
  soft_delete_days = var.soft_delete_days
  writers          = { engine = module.identities.engine.member }
  writer_role      = module.identities.lake_writer_role
  depends_on       = [module.services]
}

module "bigquery" {
  source       = "../../modules/bigquery"
  project      = var.project
  name         = var.name
  location     = var.region
  labels       = local.labels
  kms_key      = var.kms_key
  batch_member = module.identities.engine.member
  viewers      = var.mart_viewers
  depends_on   = [module.services]
}

resource "google_project_iam_member" "bigquery_jobs" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = module.identities.engine.member
}

module "registry" {
  source     = "../../modules/registry"
  project    = var.project
  region     = var.region
  name       = var.name
  labels     = local.labels
  kms_key    = var.kms_key
  readers    = { engine = module.identities.engine.member }
  depends_on = [module.services]
}

# Passwords of Grafana and Airflow. Their values never pass through Terraform: `make deploy` makes them.
resource "google_secret_manager_secret" "this" {
  for_each = toset(["grafana-password", "airflow-password"])

  project   = var.project
  secret_id = "${var.name}-${each.value}"
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

resource "google_secret_manager_secret_iam_member" "machine" {
  for_each = google_secret_manager_secret.this

  project   = var.project
  secret_id = each.value.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = module.identities.engine.member
}

# As administrators of the machine they can read these anyway; so they need not go round.
resource "google_secret_manager_secret_iam_member" "operator" {
  for_each = {
    for pair in setproduct(var.operators, ["grafana-password", "airflow-password"]) : join(" ", pair) => pair
  }

  project   = var.project
  secret_id = google_secret_manager_secret.this[each.value[1]].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value[0]
}

# `make status`, `logs` and `tunnel` ask Terraform's state where everything is, and Compute Engine for the project before they sign in.
resource "google_storage_bucket_iam_member" "state" {
  for_each = toset(var.operators)

  bucket = "${var.project}-${var.name}-state"
  role   = "roles/storage.objectViewer"
  member = each.value
}

resource "google_project_iam_member" "operator" {
  for_each = toset(var.operators)

  project = var.project
  role    = "roles/compute.viewer"
  member  = each.value
}

module "host" {
  source          = "../../modules/host"
  project         = var.project
  zone            = coalesce(var.zone, "${var.region}-b")
  name            = var.name
  machine_type    = var.machine_type
  data_gb         = var.data_gb
  subnetwork      = module.network.subnetwork
  ssh_tag         = module.network.ssh_tag
  service_account = module.identities.engine.email
  stack_image     = "${module.registry.images}/stack:${var.image_tag}"
  profiles        = concat(["redpanda", "observability-google"], var.simulate ? ["simulate"] : [], var.airflow ? ["airflow"] : [])
  operators       = var.operators
  labels          = local.labels
  kms_key         = var.kms_key

  environment = {
    BEATLYTICA_IMAGES    = module.registry.images
    MIRROR               = "${module.registry.mirror}/"
    BEATLYTICA_LAKE_URL  = module.lake.url
    GOOGLE_CLOUD_PROJECT = var.project
    BIGQUERY_LOCATION    = var.region
    BEATLYTICA_DATASET   = module.bigquery.dataset
    DBT_TARGET           = "bigquery"
    SECRET_PREFIX        = var.name
    NAME                 = var.name
    COMPOSE_PROJECT_NAME = "beatlytica"
  }
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
