output "lake_url" {
  description = "Where the Parquet lake is."
  value       = module.lake.url
}

output "lake_bucket" {
  description = "The lake's bucket."
  value       = module.lake.bucket
}

output "image_tag" {
  description = "Tag that was applied last, whether or not its deployment finished."
  value       = var.image_tag
}

output "registry" {
  description = "Where images are pushed to."
  value       = module.registry.images
}

output "instance" {
  description = "The machine."
  value       = module.host.name
}

output "zone" {
  description = "The machine's zone."
  value       = module.host.zone
}

output "public_addresses" {
  description = "Public addresses: none."
  value       = module.host.public_addresses
}

output "lake_permissions" {
  description = "What the machine may do with the lake's objects."
  value       = module.identities.lake_writer_permissions
}

output "secrets" {
  description = "Secrets whose values `make deploy` makes where they have none."
  value       = [for secret in google_secret_manager_secret.this : secret.secret_id]
}

output "simulate" {
  description = "Whether simulated listeners send events."
  value       = var.simulate
}

output "marts" {
  description = "The marts in BigQuery."
  value       = "https://console.cloud.google.com/bigquery?project=${var.project}&d=${module.bigquery.marts_dataset}&p=${var.project}&page=dataset"
}

output "next_steps" {
  description = "What to do now."
  value       = <<-EOT
    make status PROJECT=${var.project}    what runs, and how fresh the lake is
    make tunnel PROJECT=${var.project}    then: http://127.0.0.1:8080 live charts, :3000 Grafana, :8081 Airflow, :19092 Kafka
    make logs PROJECT=${var.project}      the engine's log
    Lake: ${module.lake.url}   Marts: ${var.project}.${module.bigquery.marts_dataset}
    make destroy PROJECT=${var.project}   takes all away but the lake
  EOT
}
