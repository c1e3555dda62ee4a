# What tells a person: an address for alerts, a budget, and one alert of Google's own that works even when everything else is down.
# Prometheus' alerts come from infra/prometheus/rules, in the machine (small) or as managed rules (scale).
resource "google_monitoring_notification_channel" "email" {
  count = var.alert_email == null ? 0 : 1

  project      = var.project
  display_name = "Beatlytica"
  type         = "email"
  labels       = { email_address = var.alert_email }
  user_labels  = var.labels
}

resource "google_monitoring_alert_policy" "nothing_written" {
  project      = var.project
  display_name = "Beatlytica: nothing reaches the lake"
  combiner     = "OR"
  severity     = "CRITICAL"
  user_labels  = var.labels

  notification_channels = google_monitoring_notification_channel.email[*].id

  conditions {
    display_name = "No object written to ${var.bucket} for ${var.silence_minutes} minutes"
    condition_absent {
      filter   = "resource.type = \"gcs_bucket\" AND resource.labels.bucket_name = \"${var.bucket}\" AND metric.type = \"storage.googleapis.com/api/request_count\" AND metric.labels.method = monitoring.regex.full_match(\"WriteObject|InsertObject.*\")"
      duration = "${var.silence_minutes * 60}s"
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The engine writes every two minutes while events arrive. `make status` shows what runs, `make logs` why not; see docs/setup/debugging.md."
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_billing_budget" "this" {
  count = var.billing_account == null ? 0 : 1

  billing_account = var.billing_account
  display_name    = "Beatlytica in ${var.project}"

  budget_filter {
    projects = ["projects/${var.project_number}"]
    labels   = { for key, value in var.labels : key => value if key == "app" }
  }

  amount {
    specified_amount {
      currency_code = var.currency
      units         = tostring(var.budget)
    }
  }

  dynamic "threshold_rules" {
    for_each = { 0.5 = "CURRENT_SPEND", 0.9 = "CURRENT_SPEND", 1 = "FORECASTED_SPEND" }
    content {
      threshold_percent = tonumber(threshold_rules.key)
      spend_basis       = threshold_rules.value
    }
  }

  dynamic "all_updates_rule" {
    for_each = google_monitoring_notification_channel.email
    content {
      monitoring_notification_channels = [all_updates_rule.value.id]
    }
  }
}
