mock_provider "google" {
  mock_data "google_project" {
    defaults = {
      number = "123456789"
    }
  }
  mock_resource "google_service_account" {
    defaults = {
      email  = "some@some-project.iam.gserviceaccount.com"
      member = "serviceAccount:some@some-project.iam.gserviceaccount.com"
      name   = "projects/some-project/serviceAccounts/some@some-project.iam.gserviceaccount.com"
    }
  }
}

# Planned, not applied, where the lake is in it: `terraform test` could not take it away again.
variables {
  project   = "some-project"
  image_tag = "abc123"
  operators = ["user:op@example.com"]
}

run "the_whole_of_it" {
  command = plan

  assert {
    condition     = length(output.public_addresses) == 0
    error_message = "Nothing has a public address."
  }
  assert {
    condition     = toset(output.lake_permissions) == toset(["storage.objects.create", "storage.objects.get", "storage.objects.list"])
    error_message = "The machine neither overwrites nor deletes objects of the lake."
  }
  assert {
    condition     = output.image_tag == "abc123"
    error_message = "`make rollback` reads what is applied."
  }
  assert {
    condition     = output.lake_url == "gs://some-project-beatlytica-lake" && output.zone == "europe-west1-b"
    error_message = "Names follow from project and region."
  }
  assert {
    condition     = strcontains(output.next_steps, "make tunnel PROJECT=some-project")
    error_message = "The next steps name the project."
  }
  assert {
    condition     = toset(output.secrets) == toset(["beatlytica-grafana-password", "beatlytica-airflow-password"])
    error_message = "Two passwords are needed."
  }
  assert {
    condition     = google_project_iam_member.bigquery_jobs.role == "roles/bigquery.jobUser"
    error_message = "The machine may run queries, on data that the datasets let it read."
  }
  assert {
    condition     = google_storage_bucket_iam_member.state["user:op@example.com"].bucket == "some-project-beatlytica-state" && google_storage_bucket_iam_member.state["user:op@example.com"].role == "roles/storage.objectViewer" && google_project_iam_member.operator["user:op@example.com"].role == "roles/compute.viewer"
    error_message = "Operators read where the machine is before they sign in."
  }
  assert {
    condition     = length(google_secret_manager_secret_iam_member.operator) == 2
    error_message = "Operators read the passwords of Grafana and Airflow."
  }
  assert {
    condition     = length(data.google_project.this) == 0 && module.observability.budget == null
    error_message = "A plan asks nothing of a project whose APIs are off."
  }
}

run "a_second_system_beside_the_first" {
  command = plan
  variables {
    name        = "beta"
    lake_bucket = "beta-lake"
    simulate    = false
    airflow     = false
    kms_key     = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }

  assert {
    condition     = output.lake_url == "gs://beta-lake" && output.instance == "beta"
    error_message = "Another name makes another system."
  }
  assert {
    condition     = module.host.environment.BEATLYTICA_DATASET == "beta" && module.bigquery.marts_dataset == "beta_marts"
    error_message = "dbt fills the datasets that are made."
  }
  assert {
    condition     = module.host.environment.NAME == "beta" && module.observability.alerts_of == module.host.environment.NAME
    error_message = "Alerts carry the name that the policies ask for."
  }
}

run "a_budget" {
  command = plan
  variables {
    billing_account = "012345-6789AB-CDEF01"
  }

  assert {
    condition     = data.google_project.this[0].number == "123456789" && module.observability.budget != null
    error_message = "The budget knows the project by its number."
  }
}

run "a_zone_elsewhere" {
  command = plan
  variables {
    zone = "us-central1-a"
  }
  expect_failures = [var.zone]
}

run "a_project_name_is_no_id" {
  command = plan
  variables {
    project = "My Project"
  }
  expect_failures = [var.project]
}

run "a_zone_is_no_region" {
  command = plan
  variables {
    region = "europe-west1-b"
  }
  expect_failures = [var.region]
}

run "a_bad_name" {
  command = plan
  variables {
    name = "B"
  }
  expect_failures = [var.name]
}

run "latest_cannot_be_rolled_back" {
  command = plan
  variables {
    image_tag = "latest"
  }
  expect_failures = [var.image_tag]
}

run "nobody_could_come_in" {
  command = plan
  variables {
    operators = []
  }
  expect_failures = [var.operators]
}

run "operators_are_people" {
  command = plan
  variables {
    operators = ["allUsers"]
  }
  expect_failures = [var.operators]
}

run "a_key_by_its_short_name" {
  command = plan
  variables {
    kms_key = "k"
  }
  expect_failures = [var.kms_key]
}

run "bad_labels" {
  command = plan
  variables {
    labels = { Team = "Music" }
  }
  expect_failures = [var.labels]
}
