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

output "cluster" {
  description = "The Kubernetes cluster."
  value       = module.engine.cluster
}

output "engine_account" {
  description = "The account that the engine's pods act as."
  value       = module.identities.engine.email
}

output "engine_replicas" {
  description = "Engines that share the partitions."
  value       = var.engine_replicas
}

output "kafka" {
  description = "How the engine reaches Kafka."
  value = {
    brokers           = local.managed ? module.broker[0].brokers : var.external_brokers
    security_protocol = local.managed ? "ssl" : "sasl_ssl"
    sasl_mechanism    = local.managed ? "" : var.external_sasl_mechanism
  }
}

output "secrets" {
  description = "Secrets that hold what Terraform must not know; `make deploy` says which have no value yet."
  value       = [for secret in google_secret_manager_secret.this : secret.secret_id]
}

output "airflow" {
  description = "Airflow's page and where its DAGs go, for Composer; its machine otherwise."
  value = {
    kind     = var.airflow
    web      = one(module.airflow[*].web)
    dags     = one(module.airflow[*].dags)
    instance = one(module.airflow_host[*].name)
    zone     = one(module.airflow_host[*].zone)
  }
}

output "lake_permissions" {
  description = "What the engine may do with the lake's objects."
  value       = module.identities.lake_writer_permissions
}

output "public_addresses" {
  description = "Public addresses: none."
  value       = flatten(module.airflow_host[*].public_addresses)
}

output "next_steps" {
  description = "What to do now."
  value       = <<-EOT
    make status PROFILE=scale PROJECT=${var.project}    what runs, and how fresh the lake is
    make tunnel PROFILE=scale PROJECT=${var.project}    then: http://127.0.0.1:8080 live charts
    make logs PROFILE=scale PROJECT=${var.project}      the engine's log
    Kafka: ${local.managed ? module.broker[0].brokers : var.external_brokers}   Lake: ${module.lake.url}
    make destroy PROFILE=scale PROJECT=${var.project}   takes all away but the lake
  EOT
}
