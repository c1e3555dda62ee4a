# A network of its own without a way in: no public address, no ingress but SSH through Identity-Aware Proxy. Google's APIs and the
# registry are reached over Private Google Access, so that no NAT gateway is paid for unless `nat` asks for one.
resource "google_compute_network" "this" {
  project                 = var.project
  name                    = var.name
  auto_create_subnetworks = false
  routing_mode            = "REGIONAL"
}

resource "google_compute_subnetwork" "this" {
  project                  = var.project
  name                     = var.name
  region                   = var.region
  network                  = google_compute_network.this.id
  ip_cidr_range            = var.cidr
  private_ip_google_access = true

  dynamic "secondary_ip_range" {
    for_each = var.pods_cidr == null ? {} : { pods = var.pods_cidr, services = var.services_cidr }
    content {
      range_name    = secondary_ip_range.key
      ip_cidr_range = secondary_ip_range.value
    }
  }

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_firewall" "iap_ssh" {
  project       = var.project
  name          = "${var.name}-iap-ssh"
  network       = google_compute_network.this.id
  description   = "SSH and its port forwarding, from Identity-Aware Proxy alone."
  direction     = "INGRESS"
  source_ranges = ["35.235.240.0/20"]
  target_tags   = [var.ssh_tag]

  allow {
    protocol = "tcp"
    ports    = ["22"]
  }
}

# The implied rule denies the rest already; this one leaves a trace in the log.
resource "google_compute_firewall" "deny_ingress" {
  project       = var.project
  name          = "${var.name}-deny-ingress"
  network       = google_compute_network.this.id
  description   = "Everything else from outside the network is refused and logged."
  direction     = "INGRESS"
  priority      = 65000
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }

  log_config {
    metadata = "EXCLUDE_ALL_METADATA"
  }
}

# Below the number of the rule above, so that it wins: workloads of the network reach each other.
resource "google_compute_firewall" "internal" {
  count = var.pods_cidr == null ? 0 : 1

  project       = var.project
  name          = "${var.name}-internal"
  network       = google_compute_network.this.id
  description   = "Pods and brokers reach each other."
  direction     = "INGRESS"
  priority      = 64000
  source_ranges = compact([var.cidr, var.pods_cidr])

  allow {
    protocol = "tcp"
  }
  allow {
    protocol = "udp"
  }
}

resource "google_compute_router" "this" {
  count = var.nat ? 1 : 0

  project = var.project
  name    = var.name
  region  = var.region
  network = google_compute_network.this.id
}

resource "google_compute_router_nat" "this" {
  count = var.nat ? 1 : 0

  project                            = var.project
  name                               = var.name
  region                             = var.region
  router                             = google_compute_router.this[0].name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}
