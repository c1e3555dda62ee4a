# The bucket that everything else can be rebuilt from. It cannot be destroyed by Terraform; `make destroy LAKE=delete` says how.
resource "google_storage_bucket" "lake" {
  #checkov:skip=CKV_GCP_62:data access goes to Cloud Audit Logs where wanted; access logs would cost more than the lake
  #checkov:skip=CKV_GCP_78:no writer may overwrite or delete, and soft delete brings back what an administrator removes
  project                     = var.project
  name                        = var.name
  location                    = var.location
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false
  labels                      = var.labels

  # Nobody overwrites or deletes in regular service, so versions would never arise; a mistake can be undone for this long.
  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  # Old data is read by full refreshes only. The ledger is read at every start and stays where reading is cheap.
  dynamic "lifecycle_rule" {
    for_each = var.colder_after_days
    content {
      action {
        type          = "SetStorageClass"
        storage_class = lifecycle_rule.key
      }
      condition {
        age            = lifecycle_rule.value
        matches_prefix = ["${local.prefix}lake/"]
      }
    }
  }

  # Window state is a cache that the engine replaces every few minutes and may not delete itself.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = var.state_days
      matches_prefix = ["${local.prefix}state/"]
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

locals {
  prefix = var.prefix == "" ? "" : "${trimsuffix(var.prefix, "/")}/"
}

resource "google_storage_bucket_iam_member" "writer" {
  for_each = var.writers

  bucket = google_storage_bucket.lake.name
  role   = var.writer_role
  member = each.value
}

resource "google_storage_bucket_iam_member" "reader" {
  for_each = var.readers

  bucket = google_storage_bucket.lake.name
  role   = var.reader_role
  member = each.value
}
