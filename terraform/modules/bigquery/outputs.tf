output "dataset" {
  description = "What the names of all datasets begin with; dbt's BEATLYTICA_DATASET."
  value       = google_bigquery_dataset.this[local.prefix].dataset_id
}

output "lake_dataset" {
  description = "Dataset of the external tables."
  value       = google_bigquery_dataset.this["${local.prefix}_lake"].dataset_id
}

output "marts_dataset" {
  description = "Dataset of the marts."
  value       = google_bigquery_dataset.this["${local.prefix}_marts"].dataset_id
}
