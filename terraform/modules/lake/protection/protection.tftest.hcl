# Applied, so that `terraform test` tries to destroy the bucket afterwards. It must not succeed: scripts/terraform-test.sh.
mock_provider "google" {}

run "made" {
  variables {
    project     = "some-project"
    name        = "some-project-lake"
    location    = "europe-west1"
    writers     = {}
    writer_role = "projects/some-project/roles/lake_writer"
  }
}
