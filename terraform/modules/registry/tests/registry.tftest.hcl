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
    condition     = length(google_artifact_registry_repository.images.cleanup_policies) == 0
    error_message = "A policy removes nothing whose tag is immutable, and would look as if it did."
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
