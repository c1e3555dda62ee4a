mock_provider "google" {}

variables {
  project = "some-project"
  name    = "beatlytica"
}

run "least_privilege" {
  assert {
    condition     = toset(google_project_iam_custom_role.lake_writer.permissions) == toset(["storage.objects.create", "storage.objects.get", "storage.objects.list"])
    error_message = "The engine creates and reads objects; it neither overwrites nor deletes."
  }
  assert {
    condition     = toset(google_project_iam_custom_role.lake_reader.permissions) == toset(["storage.objects.get", "storage.objects.list"])
    error_message = "The batch reads."
  }
  assert {
    condition     = toset(output.project_roles) == toset(["roles/bigquery.jobUser", "roles/logging.logWriter", "roles/monitoring.metricWriter"])
    error_message = "Only these roles are granted on the whole project."
  }
  assert {
    condition     = !anytrue([for grant in google_project_iam_member.this : can(regex("admin|owner|editor|Admin", grant.role))])
    error_message = "Nobody administers."
  }
}

run "a_name_that_is_too_long" {
  command = plan
  variables {
    name = "a-name-that-has-no-room-for-engine"
  }
  expect_failures = [var.name]
}
