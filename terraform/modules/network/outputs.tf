output "network" {
  description = "Id of the network."
  value       = google_compute_network.this.id
}

output "subnetwork" {
  description = "Id of the subnetwork."
  value       = google_compute_subnetwork.this.id
}

output "ssh_tag" {
  description = "Network tag of the machines that accept SSH from Identity-Aware Proxy."
  value       = var.ssh_tag
}
