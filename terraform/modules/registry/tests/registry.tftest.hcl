mock_provider "google" {}

variables {
  project = "some-project"
  region  = "europe-west1"
  name    = "beatlytica"
  readers = { engine = "serviceAccount:engine@some-project.iam.gserviceaccount.com" }
}

run "tags_never_move" {
  assert {
    condition     = google_artifact_registry_repository.images.docker_config[0].immutable_tags
    error_message = "A rollback must get what ran before."
  }
  assert {
    condition     = google_artifact_registry_repository.mirror.mode == "REMOTE_REPOSITORY"
    error_message = "Docker Hub is passed through."
  }
  assert {
    condition     = toset([for grant in google_artifact_registry_repository_iam_member.reader : grant.role]) == toset(["roles/artifactregistry.reader"]) && length(google_artifact_registry_repository_iam_member.reader) == 2
    error_message = "Machines pull from both and push to neither."
  }
  assert {
    condition     = output.images == "europe-west1-docker.pkg.dev/some-project/beatlytica"
    error_message = "The address is what docker takes."
  }
}

run "nothing_to_roll_back_to" {
  command = plan
  variables {
    keep_versions = 1
  }
  expect_failures = [var.keep_versions]
}
