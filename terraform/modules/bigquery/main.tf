# Two datasets: `lake` holds external tables over the bucket, `marts` what dbt makes. dbt creates the tables themselves. Both can be
# rebuilt from the lake, so destroying them loses nothing.
resource "google_bigquery_dataset" "this" {
  for_each = {
    lake  = "External tables over the Parquet lake."
    marts = "Tables that dbt makes every hour."
  }

  project                    = var.project
  dataset_id                 = "${replace(var.name, "-", "_")}_${each.key}"
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
  dataset_id = google_bigquery_dataset.this["marts"].dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = each.value
}
