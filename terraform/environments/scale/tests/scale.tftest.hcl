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

run "managed_kafka" {
  command = plan
  variables {
    client_ca_pool = "projects/some-project/locations/europe-west1/caPools/clients"
  }

  assert {
    condition     = output.kafka.security_protocol == "ssl" && endswith(output.kafka.brokers, ".cloud.goog:9192")
    error_message = "The engine shows a certificate to Managed Service for Apache Kafka."
  }
  assert {
    condition     = output.cluster == "beatlytica"
    error_message = "The scripts know the cluster by the system's name."
  }
  assert {
    condition     = output.image_tag == "abc123"
    error_message = "`make rollback` reads what is applied."
  }
  assert {
    condition     = toset(output.secrets) == toset(["beatlytica-airflow-password"])
    error_message = "No password of Kafka is needed then."
  }
  assert {
    condition     = length(data.google_project.this) == 0
    error_message = "A plan asks nothing of a project whose APIs are off."
  }
  assert {
    condition     = toset(output.lake_permissions) == toset(["storage.objects.create", "storage.objects.get", "storage.objects.list"])
    error_message = "The engine neither overwrites nor deletes objects of the lake."
  }
  assert {
    condition     = length(output.public_addresses) == 0 && output.airflow.kind == "vm"
    error_message = "Nothing has a public address; the image that is tested runs dbt."
  }
  assert {
    condition     = toset([for grant in google_project_iam_member.node : grant.role]) == toset(["roles/container.defaultNodeServiceAccount", "roles/monitoring.viewer"])
    error_message = "Nodes have the least role that Kubernetes needs, and may read what rules are about."
  }
}

run "a_second_system_beside_the_first" {
  command = plan
  variables {
    name              = "beta-2"
    external_brokers  = "seed-1.example.com:9092"
    airflow           = "composer"
    composer_packages = { "astronomer-cosmos" = "==1.15.0", "dbt-bigquery" = "==1.12.1" }
  }

  assert {
    condition     = module.airflow[0].environment.BEATLYTICA_DATASET == "beta_2" && module.bigquery.marts_dataset == "beta_2_marts"
    error_message = "dbt fills the datasets that are made."
  }
  assert {
    condition     = module.observability.alerts_of == module.engine.cluster
    error_message = "Alerts carry the name that the policies ask for."
  }
}

run "brokers_of_ones_own" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092,seed-2.example.com:9092"
    airflow          = "vm"
    engine_replicas  = 1
  }

  assert {
    condition     = output.kafka.security_protocol == "sasl_ssl" && output.kafka.sasl_mechanism == "SCRAM-SHA-512"
    error_message = "The engine signs in by SCRAM over TLS."
  }
  assert {
    condition     = toset(output.secrets) == toset(["beatlytica-kafka-username", "beatlytica-kafka-password", "beatlytica-airflow-password"])
    error_message = "User and password come from Secret Manager."
  }
  assert {
    condition     = output.airflow.instance == "beatlytica-airflow" && output.airflow.web == null
    error_message = "A machine runs Airflow."
  }
  assert {
    condition     = google_storage_bucket_iam_member.state["user:op@example.com"].role == "roles/storage.objectViewer" && contains([for grant in google_project_iam_member.operator : grant.role], "roles/compute.viewer")
    error_message = "Operators read where everything is before they sign in."
  }
  assert {
    condition     = keys(google_secret_manager_secret_iam_member.operator) == ["user:op@example.com airflow-password"]
    error_message = "Operators read Airflow's password, not Kafka's."
  }
  assert {
    condition     = module.airflow_host[0].environment.BEATLYTICA_DATASET == "beatlytica"
    error_message = "dbt fills the datasets that are made."
  }
}

run "certificates_need_an_authority" {
  command         = plan
  expect_failures = [var.client_ca_pool]
}

run "brokers_have_ports" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com"
  }
  expect_failures = [var.external_brokers]
}

run "no_password_in_the_clear" {
  command = plan
  variables {
    external_brokers        = "seed-1.example.com:9092"
    external_sasl_mechanism = "PLAIN"
  }
  expect_failures = [var.external_sasl_mechanism]
}

run "several_engines_are_not_merged_yet" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092"
    engine_replicas  = 2
  }
  expect_failures = [var.engine_replicas]
}

run "an_unknown_airflow" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092"
    airflow          = "cron"
  }
  expect_failures = [var.airflow]
}

run "composer_without_dbt" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092"
    airflow          = "composer"
  }
  expect_failures = [var.airflow]
}

run "a_project_name_is_no_id" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092"
    project          = "My Project"
  }
  expect_failures = [var.project]
}

run "a_zone_is_no_region" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092"
    region           = "europe-west1-b"
  }
  expect_failures = [var.region]
}

run "a_bad_name" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092"
    name             = "B"
  }
  expect_failures = [var.name]
}

run "latest_cannot_be_rolled_back" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092"
    image_tag        = "latest"
  }
  expect_failures = [var.image_tag]
}

run "nobody_could_come_in" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092"
    operators        = []
  }
  expect_failures = [var.operators]
}

run "operators_are_people" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092"
    operators        = ["allUsers"]
  }
  expect_failures = [var.operators]
}

run "a_key_by_its_short_name" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092"
    kms_key          = "k"
  }
  expect_failures = [var.kms_key]
}

run "bad_labels" {
  command = plan
  variables {
    external_brokers = "seed-1.example.com:9092"
    labels           = { Team = "Music" }
  }
  expect_failures = [var.labels]
}
