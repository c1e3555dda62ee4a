mock_provider "google" {}

run "apis_stay_on" {
  variables {
    project  = "some-project"
    services = ["storage.googleapis.com", "storage.googleapis.com", "iap.googleapis.com"]
  }

  assert {
    condition     = length(output.enabled) == 2
    error_message = "Each API is named once."
  }
  assert {
    condition     = alltrue([for service in google_project_service.this : service.disable_on_destroy == false])
    error_message = "Destroying must not switch off APIs that others use."
  }
}

run "short_names_are_refused" {
  command = plan
  variables {
    project  = "some-project"
    services = ["storage"]
  }
  expect_failures = [var.services]
}
