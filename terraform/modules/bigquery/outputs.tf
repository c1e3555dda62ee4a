output "lake_dataset" {
  description = "Dataset of the external tables."
  value       = google_bigquery_dataset.this["lake"].dataset_id
}

output "marts_dataset" {
  description = "Dataset of the marts."
  value       = google_bigquery_dataset.this["marts"].dataset_id
}
