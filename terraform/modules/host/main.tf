# One machine that runs the containers of infra/compose.yaml. Container-Optimized OS: a read-only system that updates itself and has
# nothing but Docker; the compose tool and all settings come in the `stack` image.
resource "google_compute_disk" "data" {
  project = var.project
  zone    = var.zone
  name    = "${var.name}-data"
  type    = "pd-balanced"
  size    = var.data_gb
  labels  = var.labels

  dynamic "disk_encryption_key" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      kms_key_self_link = disk_encryption_key.value
    }
  }
}

resource "google_compute_instance" "this" {
  project                   = var.project
  zone                      = var.zone
  name                      = var.name
  machine_type              = var.machine_type
  tags                      = [var.ssh_tag]
  labels                    = var.labels
  allow_stopping_for_update = true

  boot_disk {
    kms_key_self_link = var.kms_key
    initialize_params {
      image = "projects/cos-cloud/global/images/family/cos-stable"
      size  = 20
      type  = "pd-balanced"
    }
  }

  attached_disk {
    source      = google_compute_disk.data.id
    device_name = "data"
  }

  # No access_config: there is no public address.
  network_interface {
    subnetwork = var.subnetwork
  }

  service_account {
    email  = var.service_account
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  metadata = {
    user-data                 = file("${path.module}/cloud-init.yaml")
    beatlytica-start          = file("${path.module}/start.sh")
    beatlytica-stack          = var.stack_image
    beatlytica-environment    = join("\n", [for name in sort(keys(var.environment)) : "${name}=${var.environment[name]}"])
    beatlytica-profiles       = join(",", var.profiles)
    google-logging-enabled    = "true"
    google-monitoring-enabled = "true"
    enable-oslogin            = "TRUE"
    block-project-ssh-keys    = "TRUE"
    serial-port-enable        = "FALSE"
    disable-legacy-endpoints  = "TRUE"
    cos-update-strategy       = "update_enabled"
    cos-metrics-enabled       = "true"
  }

  # A newer image of the system does not replace the machine: it updates itself.
  lifecycle {
    ignore_changes = [boot_disk[0].initialize_params[0].image]
  }
}

resource "google_iap_tunnel_instance_iam_member" "operator" {
  for_each = toset(var.operators)

  project  = var.project
  zone     = var.zone
  instance = google_compute_instance.this.name
  role     = "roles/iap.tunnelResourceAccessor"
  member   = each.value
}

resource "google_compute_instance_iam_member" "operator" {
  for_each = toset(var.operators)

  project       = var.project
  zone          = var.zone
  instance_name = google_compute_instance.this.name
  role          = "roles/compute.osAdminLogin"
  member        = each.value
}

# Signing in on a machine means acting as its account, which is why it is asked for.
resource "google_service_account_iam_member" "operator" {
  for_each = toset(var.operators)

  service_account_id = "projects/${var.project}/serviceAccounts/${var.service_account}"
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}
