mock_provider "google" {}

variables {
  project        = "some-project"
  region         = "europe-west1"
  name           = "beatlytica"
  network        = "n"
  subnetwork     = "s"
  node_account   = "node@some-project.iam.gserviceaccount.com"
  engine_account = { email = "engine@some-project.iam.gserviceaccount.com", member = "serviceAccount:engine@some-project.iam.gserviceaccount.com", name = "projects/some-project/serviceAccounts/engine@some-project.iam.gserviceaccount.com" }
}

run "private_and_protected" {
  assert {
    condition     = google_container_cluster.this.private_cluster_config[0].enable_private_nodes && google_container_cluster.this.private_cluster_config[0].enable_private_endpoint && google_container_cluster.this.control_plane_endpoints_config[0].ip_endpoints_config[0].enabled == false
    error_message = "Neither nodes nor the control plane have a public address."
  }
  assert {
    condition     = google_container_cluster.this.deletion_protection
    error_message = "The cluster refuses to be destroyed."
  }
  assert {
    condition     = output.identity == "serviceAccount:some-project.svc.id.goog[beatlytica/engine]" && google_service_account_iam_member.engine.role == "roles/iam.workloadIdentityUser"
    error_message = "Pods of that one account act as the engine, without a key."
  }
  assert {
    condition     = google_container_cluster.this.monitoring_config[0].managed_prometheus[0].enabled
    error_message = "Metrics are collected."
  }
}
