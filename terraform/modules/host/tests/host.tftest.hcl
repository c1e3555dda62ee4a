mock_provider "google" {}

variables {
  project         = "some-project"
  zone            = "europe-west1-b"
  name            = "beatlytica"
  subnetwork      = "projects/some-project/regions/europe-west1/subnetworks/beatlytica"
  ssh_tag         = "iap-ssh"
  service_account = "engine@some-project.iam.gserviceaccount.com"
  stack_image     = "europe-west1-docker.pkg.dev/some-project/beatlytica/stack:abc123"
  environment     = { B = "2", A = "1" }
  profiles        = ["redpanda", "airflow"]
  operators       = ["user:op@example.com"]
}

run "no_public_address" {
  assert {
    condition     = length(google_compute_instance.this.network_interface) == 1 && length(google_compute_instance.this.network_interface[0].access_config) == 0 && length(google_compute_instance.this.network_interface[0].ipv6_access_config) == 0
    error_message = "The machine has no public address."
  }
  assert {
    condition     = length(output.public_addresses) == 0
    error_message = "Nor does the output know of one."
  }
  assert {
    condition     = google_compute_instance.this.metadata["enable-oslogin"] == "TRUE" && google_compute_instance.this.metadata["block-project-ssh-keys"] == "TRUE" && google_compute_instance.this.metadata["serial-port-enable"] == "FALSE"
    error_message = "Sign-in by IAM alone."
  }
  assert {
    condition     = google_compute_instance.this.shielded_instance_config[0].enable_secure_boot
    error_message = "Secure boot is on."
  }
  assert {
    condition     = google_compute_instance.this.metadata["beatlytica-environment"] == "A=1\nB=2" && google_compute_instance.this.metadata["beatlytica-profiles"] == "redpanda,airflow"
    error_message = "Settings reach the machine, in a steady order."
  }
  assert {
    condition     = strcontains(google_compute_instance.this.metadata["beatlytica-start"], "docker run") && strcontains(google_compute_instance.this.metadata["user-data"], "attributes/beatlytica-start")
    error_message = "What a start does comes with the metadata, for user-data is read at a boot alone."
  }
  assert {
    condition     = toset([for grant in google_iap_tunnel_instance_iam_member.operator : "${grant.role} ${grant.member}"]) == toset(["roles/iap.tunnelResourceAccessor user:op@example.com"])
    error_message = "Operators come in through Identity-Aware Proxy, on this machine alone."
  }
}

run "a_region_is_no_zone" {
  command = plan
  variables {
    zone = "europe-west1"
  }
  expect_failures = [var.zone]
}

run "too_small_a_machine" {
  command = plan
  variables {
    machine_type = "e2-micro"
  }
  expect_failures = [var.machine_type]
}

run "too_small_a_disk" {
  command = plan
  variables {
    data_gb = 10
  }
  expect_failures = [var.data_gb]
}

run "latest_cannot_be_rolled_back" {
  command = plan
  variables {
    stack_image = "europe-west1-docker.pkg.dev/some-project/beatlytica/stack:latest"
  }
  expect_failures = [var.stack_image]
}

run "no_secret_in_metadata" {
  command = plan
  variables {
    environment = { GRAFANA_PASSWORD = "hush" }
  }
  expect_failures = [var.environment]
}
