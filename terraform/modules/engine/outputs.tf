output "cluster" {
  description = "Name of the cluster."
  value       = google_container_cluster.this.name
}

output "identity" {
  description = "Who the engine's pods are to IAM."
  value       = google_service_account_iam_member.engine.member
}
