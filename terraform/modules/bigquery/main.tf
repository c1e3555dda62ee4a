# A dataset for each schema of the dbt project, so that dbt needs no right to make datasets; `lake` also holds the external tables over
# the bucket. dbt makes the tables. All can be rebuilt from the lake, so destroying them loses nothing.
locals {
  prefix = replace(var.name, "-", "_")
  datasets = {
    (local.prefix)            = "What dbt makes without a schema of its own."
    "${local.prefix}_lake"    = "External tables over the Parquet lake, and which of its ranges were taken up."
    "${local.prefix}_staging" = "Events, typed and named."
    "${local.prefix}_rules"   = "Rules of the charts."
    "${local.prefix}_core"    = "Dimensions and facts."
    "${local.prefix}_charts"  = "What the charts are computed from."
    "${local.prefix}_marts"   = "Charts, Wrapped, demographics: what people read."
  }
}

resource "google_bigquery_dataset" "this" {
  for_each = local.datasets

  project                    = var.project
  dataset_id                 = each.key
  location                   = var.location
  description                = each.value
  delete_contents_on_destroy = true
  labels                     = var.labels

  dynamic "default_encryption_configuration" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_name = default_encryption_configuration.value
    }
  }
}

resource "google_bigquery_dataset_iam_member" "batch" {
  for_each = google_bigquery_dataset.this

  project    = var.project
  dataset_id = each.value.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = var.batch_member
}

resource "google_bigquery_dataset_iam_member" "viewer" {
  for_each = toset(var.viewers)

  project    = var.project
  dataset_id = google_bigquery_dataset.this["${local.prefix}_marts"].dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = each.value
}
