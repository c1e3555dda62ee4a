# A GKE Autopilot cluster for the engine: private nodes, no public address of the control plane (its DNS name asks IAM), pods that sign in
# as the engine's account. What runs in it is in infra/k8s, which `make deploy` applies.
resource "google_container_cluster" "this" {
  #checkov:skip=CKV_GCP_12:Autopilot enforces network policies always; the argument is not allowed with it
  #checkov:skip=CKV_GCP_13:Autopilot issues no client certificates; the argument is not allowed with it
  #checkov:skip=CKV_GCP_20:the control plane has no address: its IP endpoints are off, its DNS name asks IAM
  #checkov:skip=CKV_GCP_21:resource_labels is set from a variable
  #checkov:skip=CKV_GCP_61:Autopilot has intranode visibility on; flow logs are on in the network module
  #checkov:skip=CKV_GCP_65:needs a Google Workspace group that not every project has; access is by IAM
  #checkov:skip=CKV_GCP_66:images come from one private registry with tags that cannot move; attestations are a step for later
  #checkov:skip=CKV_GCP_69:Autopilot nodes have the GKE metadata server always
  project             = var.project
  name                = var.name
  location            = var.region
  description         = "Beatlytica's engine."
  enable_autopilot    = true
  network             = var.network
  subnetwork          = var.subnetwork
  deletion_protection = var.deletion_protection
  resource_labels     = var.labels

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  private_cluster_config {
    enable_private_nodes    = true
    enable_private_endpoint = true
  }

  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = true
    }
    ip_endpoints_config {
      enabled = false
    }
  }

  release_channel {
    channel = "REGULAR"
  }

  workload_identity_config {
    workload_pool = "${var.project}.svc.id.goog"
  }

  monitoring_config {
    enable_components = ["SYSTEM_COMPONENTS", "POD", "STATEFULSET"]
    managed_prometheus {
      enabled = true
    }
  }

  logging_config {
    enable_components = ["SYSTEM_COMPONENTS", "WORKLOADS"]
  }

  cluster_autoscaling {
    auto_provisioning_defaults {
      service_account   = var.node_account
      oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
      boot_disk_kms_key = var.kms_key
    }
  }

  dynamic "database_encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      state    = "ENCRYPTED"
      key_name = database_encryption.value
    }
  }

  # Nights and week-ends of the region's clock are for Google's updates.
  maintenance_policy {
    recurring_window {
      start_time = "2026-01-03T02:00:00Z"
      end_time   = "2026-01-03T08:00:00Z"
      recurrence = "FREQ=WEEKLY;BYDAY=SA,SU"
    }
  }
}

# The pod's account may act as the engine's: no key is ever made.
resource "google_service_account_iam_member" "engine" {
  service_account_id = var.engine_account.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${google_container_cluster.this.workload_identity_config[0].workload_pool}[${var.namespace}/${var.kubernetes_account}]"
}
