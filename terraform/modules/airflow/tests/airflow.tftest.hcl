mock_provider "google" {}

variables {
  project         = "some-project"
  region          = "europe-west1"
  name            = "beatlytica"
  network         = "n"
  subnetwork      = "s"
  service_account = "batch@some-project.iam.gserviceaccount.com"
}

run "private" {
  assert {
    condition     = google_composer_environment.this.config[0].enable_private_environment && google_composer_environment.this.config[0].enable_private_builds_only
    error_message = "Composer has no way to the internet."
  }
  assert {
    condition     = google_composer_environment.this.config[0].node_config[0].service_account == var.service_account
    error_message = "Tasks act as the batch account."
  }
}

run "an_older_airflow" {
  command = plan
  variables {
    image_version = "composer-3-airflow-2.10.5"
  }
  expect_failures = [var.image_version]
}
