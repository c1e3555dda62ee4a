mock_provider "google" {}

variables {
  project     = "some-project"
  name        = "some-project-lake"
  location    = "europe-west1"
  writers     = { engine = "serviceAccount:engine@some-project.iam.gserviceaccount.com" }
  writer_role = "projects/some-project/roles/lake_writer"
}

run "closed_and_recoverable" {
  command = plan

  assert {
    condition     = google_storage_bucket.lake.uniform_bucket_level_access && google_storage_bucket.lake.public_access_prevention == "enforced"
    error_message = "Access by IAM alone, never public."
  }
  assert {
    condition     = google_storage_bucket.lake.soft_delete_policy[0].retention_duration_seconds == 30 * 86400
    error_message = "Deleted objects come back for 30 days."
  }
  assert {
    condition     = google_storage_bucket.lake.force_destroy == false
    error_message = "A bucket with objects is never destroyed."
  }
  assert {
    condition     = length(google_storage_bucket.lake.encryption) == 0
    error_message = "Google's own keys unless asked."
  }
  assert {
    condition     = [for member in google_storage_bucket_iam_member.writer : member.role] == ["projects/some-project/roles/lake_writer"] && length(google_storage_bucket_iam_member.reader) == 0
    error_message = "One writer, by the narrow role."
  }
}

run "only_data_gets_colder_and_only_state_is_removed" {
  command = plan
  variables {
    prefix = "music/"
  }

  assert {
    condition = toset([for rule in google_storage_bucket.lake.lifecycle_rule : "${rule.action[0].type} ${rule.condition[0].age} ${join(",", rule.condition[0].matches_prefix)}"]) == toset([
      "SetStorageClass 365 music/lake/", "SetStorageClass 90 music/lake/", "Delete 7 music/state/",
    ])
    error_message = "Lifecycle rules touch the lake's data and the window state alone, within the prefix."
  }
  assert {
    condition     = output.url == "gs://some-project-lake/music"
    error_message = "lake.url has no slash at its end."
  }
}

run "a_key_of_ones_own" {
  command = plan
  variables {
    kms_key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }

  assert {
    condition     = google_storage_bucket.lake.encryption[0].default_kms_key_name == "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
    error_message = "The key encrypts the bucket."
  }
}

run "bad_name" {
  command = plan
  variables {
    name = "My_Google_Lake"
  }
  expect_failures = [var.name]
}

run "bad_key" {
  command = plan
  variables {
    kms_key = "k"
  }
  expect_failures = [var.kms_key]
}

run "soft_delete_too_short" {
  command = plan
  variables {
    soft_delete_days = 1
  }
  expect_failures = [var.soft_delete_days]
}

run "unknown_class" {
  command = plan
  variables {
    colder_after_days = { FROZEN = 90 }
  }
  expect_failures = [var.colder_after_days]
}

run "state_is_needed_for_days" {
  command = plan
  variables {
    state_days = 1
  }
  expect_failures = [var.state_days]
}

run "a_role_that_may_delete" {
  command = plan
  variables {
    writer_role = "roles/storage.objectAdmin"
  }
  expect_failures = [var.writer_role]
}
