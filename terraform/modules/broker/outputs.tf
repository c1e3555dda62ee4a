output "brokers" {
  description = "Value of kafka.brokers. 9192 is the service's port for client certificates."
  value       = "bootstrap.${google_managed_kafka_cluster.this.cluster_id}.${var.region}.managedkafka.${var.project}.cloud.goog:9192"
}

output "acls" {
  description = "What each ACL allows, as \"principal operation\"."
  value       = { for id, entries in local.acls : id => [for entry in entries : "${entry.principal} ${entry.operation}"] }
}
