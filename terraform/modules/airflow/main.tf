# Cloud Composer 3: Airflow that Google runs. DAGs and the dbt project are copied into its bucket by `make deploy`.
resource "google_composer_environment" "this" {
  project = var.project
  region  = var.region
  name    = var.name
  labels  = var.labels

  config {
    environment_size           = "ENVIRONMENT_SIZE_SMALL"
    enable_private_environment = true
    # Workers without a way to the internet: Python packages come through Google's own mirror.
    enable_private_builds_only = true

    software_config {
      image_version = var.image_version
      pypi_packages = var.pypi_packages
      env_variables = var.environment
      airflow_config_overrides = {
        "core-dags_are_paused_at_creation" = "False"
      }
    }

    node_config {
      network         = var.network
      subnetwork      = var.subnetwork
      service_account = var.service_account
    }

    workloads_config {
      scheduler {
        cpu        = 0.5
        memory_gb  = 2
        storage_gb = 1
      }
      triggerer {
        count     = 1
        cpu       = 0.5
        memory_gb = 1
      }
      dag_processor {
        count      = 1
        cpu        = 1
        memory_gb  = 2
        storage_gb = 1
      }
      web_server {
        cpu        = 0.5
        memory_gb  = 2
        storage_gb = 1
      }
      worker {
        cpu        = 1
        memory_gb  = 4
        storage_gb = 4
        min_count  = 1
        max_count  = 2
      }
    }

    dynamic "encryption_config" {
      for_each = var.kms_key == null ? [] : [var.kms_key]
      content {
        kms_key_name = encryption_config.value
      }
    }
  }

  # Without its role the account cannot run the workers, and the environment is not made.
  depends_on = [google_project_iam_member.worker]
}

# Composer's own account runs the environment as the batch account.
resource "google_project_iam_member" "worker" {
  #checkov:skip=CKV_GCP_49:composer.worker is granted to the batch account alone, and Composer exists on no smaller thing than the project
  project = var.project
  role    = "roles/composer.worker"
  member  = "serviceAccount:${var.service_account}"
}
