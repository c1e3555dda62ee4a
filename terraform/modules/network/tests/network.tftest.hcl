mock_provider "google" {}

variables {
  project = "some-project"
  region  = "europe-west1"
  name    = "beatlytica"
}

run "no_way_in_but_iap" {
  assert {
    condition     = tolist(google_compute_firewall.iap_ssh.source_ranges) == tolist(["35.235.240.0/20"]) && google_compute_firewall.iap_ssh.direction == "INGRESS"
    error_message = "SSH comes from Identity-Aware Proxy alone."
  }
  assert {
    condition     = tolist(google_compute_firewall.iap_ssh.allow[*].protocol) == tolist(["tcp"]) && tolist(google_compute_firewall.iap_ssh.allow[0].ports) == tolist(["22"])
    error_message = "Nothing but SSH."
  }
  assert {
    condition     = length(google_compute_firewall.deny_ingress.deny) == 1 && length(google_compute_firewall.deny_ingress.allow) == 0
    error_message = "The rest is denied."
  }
  assert {
    condition     = length(google_compute_firewall.internal) == 0 && length(google_compute_router_nat.this) == 0
    error_message = "One machine needs no inner traffic and no NAT."
  }
  assert {
    condition     = google_compute_subnetwork.this.private_ip_google_access && google_compute_network.this.auto_create_subnetworks == false
    error_message = "Google's APIs are reached without a public address, in a network of its own."
  }
}

run "pods_talk_among_themselves" {
  variables {
    pods_cidr = "10.24.0.0/16"
    nat       = true
  }

  assert {
    condition     = toset(google_compute_firewall.internal[0].source_ranges) == toset(["10.20.0.0/20", "10.24.0.0/16"])
    error_message = "The inner rule covers the network's own ranges alone."
  }
  assert {
    condition     = google_compute_firewall.internal[0].priority < google_compute_firewall.deny_ingress.priority
    error_message = "The inner rule wins over the denial."
  }
  assert {
    condition     = toset(google_compute_subnetwork.this.secondary_ip_range[*].range_name) == toset(["pods", "services"])
    error_message = "Pods and services have ranges."
  }
  assert {
    condition     = length(google_compute_router_nat.this) == 1
    error_message = "nat makes a NAT."
  }
}

run "cidr_is_a_range" {
  command = plan
  variables {
    cidr = "10.20.0.0"
  }
  expect_failures = [var.cidr]
}

run "pods_cidr_is_a_range" {
  command = plan
  variables {
    pods_cidr = "many"
  }
  expect_failures = [var.pods_cidr]
}

run "services_cidr_is_a_range" {
  command = plan
  variables {
    services_cidr = "10.25.0.0/99"
  }
  expect_failures = [var.services_cidr]
}
