mock_provider "google" {}

variables {
  project      = "some-project"
  name         = "beat-lytica"
  location     = "europe-west1"
  batch_member = "serviceAccount:batch@some-project.iam.gserviceaccount.com"
}

run "a_dataset_for_each_schema_and_one_writer" {
  variables {
    viewers = ["group:analysts@example.com"]
  }

  assert {
    condition     = output.dataset == "beat_lytica" && output.lake_dataset == "beat_lytica_lake" && output.marts_dataset == "beat_lytica_marts"
    error_message = "Datasets take no hyphens."
  }
  assert {
    condition     = toset([for dataset in google_bigquery_dataset.this : dataset.dataset_id]) == toset(["beat_lytica", "beat_lytica_lake", "beat_lytica_staging", "beat_lytica_rules", "beat_lytica_core", "beat_lytica_charts", "beat_lytica_marts"])
    error_message = "dbt finds every dataset that it needs."
  }
  assert {
    condition     = toset([for grant in google_bigquery_dataset_iam_member.batch : "${grant.role} ${grant.member}"]) == toset(["roles/bigquery.dataEditor ${var.batch_member}"])
    error_message = "The batch account fills the datasets."
  }
  assert {
    condition     = [for grant in google_bigquery_dataset_iam_member.viewer : "${grant.dataset_id} ${grant.role}"] == ["beat_lytica_marts roles/bigquery.dataViewer"]
    error_message = "Viewers see the marts alone."
  }
}

run "nobody_is_everybody" {
  command = plan
  variables {
    viewers = ["allUsers"]
  }
  expect_failures = [var.viewers]
}
