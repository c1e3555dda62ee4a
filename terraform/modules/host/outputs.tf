output "name" {
  description = "Name of the machine."
  value       = google_compute_instance.this.name
}

output "zone" {
  description = "Its zone."
  value       = google_compute_instance.this.zone
}

output "public_addresses" {
  description = "Public addresses of the machine: none."
  value       = flatten([for interface in google_compute_instance.this.network_interface : [for access in interface.access_config : access.nat_ip]])
}

output "environment" {
  description = "What the machine's containers are told."
  value       = var.environment
}
