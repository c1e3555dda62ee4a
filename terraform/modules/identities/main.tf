# Who acts, and what each may do. There are no keys: machines and pods sign in as the account that is attached to them.
locals {
  # What the exactly-once protocol needs and nothing else. Creating an object with ifGenerationMatch=0, in one request or resumable,
  # takes storage.objects.create; an object that exists is answered 403 to a writer without storage.objects.delete, which the
  # engine reads as "look at what is there", for which it has get and list.
  lake_writer_permissions = ["storage.objects.create", "storage.objects.get", "storage.objects.list"]
  lake_reader_permissions = ["storage.objects.get", "storage.objects.list"]
}

resource "google_service_account" "engine" {
  project      = var.project
  account_id   = "${var.name}-engine"
  display_name = "Beatlytica engine"
  description  = "Creates and reads objects of the lake."
}

resource "google_service_account" "batch" {
  project      = var.project
  account_id   = "${var.name}-batch"
  display_name = "Beatlytica batch"
  description  = "Airflow and dbt: reads the lake, runs BigQuery jobs, fills the marts."
}

resource "google_service_account" "node" {
  project      = var.project
  account_id   = "${var.name}-node"
  display_name = "Beatlytica nodes"
  description  = "Kubernetes nodes: pull images, write logs and metrics."
}

resource "google_project_iam_custom_role" "lake_writer" {
  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_lake_writer"
  title       = "Beatlytica lake writer"
  description = "Create and read objects; never overwrite or delete one."
  permissions = local.lake_writer_permissions
}

resource "google_project_iam_custom_role" "lake_reader" {
  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_lake_reader"
  title       = "Beatlytica lake reader"
  description = "Read and list objects."
  permissions = local.lake_reader_permissions
}

# Roles on the whole project are only those that exist on no smaller thing.
resource "google_project_iam_member" "this" {
  for_each = merge(
    { for role in ["roles/logging.logWriter", "roles/monitoring.metricWriter"] : "node ${role}" => {
      role   = role
      member = google_service_account.node.member
    } },
    { for role in ["roles/logging.logWriter", "roles/monitoring.metricWriter"] : "engine ${role}" => {
      role   = role
      member = google_service_account.engine.member
    } },
    { for role in ["roles/bigquery.jobUser", "roles/logging.logWriter", "roles/monitoring.metricWriter"] : "batch ${role}" => {
      role   = role
      member = google_service_account.batch.member
    } },
  )

  project = var.project
  role    = each.value.role
  member  = each.value.member
}
