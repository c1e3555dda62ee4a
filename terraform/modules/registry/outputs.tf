output "images" {
  description = "Address of the repository of own images."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "mirror" {
  description = "Address under which Docker Hub's images are found."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.mirror.repository_id}"
}
