output "bucket" {
  description = "Name of the bucket."
  value       = google_storage_bucket.lake.name
}

output "url" {
  description = "Value of lake.url."
  value       = trimsuffix("gs://${google_storage_bucket.lake.name}/${local.prefix}", "/")
}
