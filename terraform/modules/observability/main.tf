# What tells a person: an address for alerts, a budget, the alerts of infra/prometheus/rules, and one of Google's own that works even when
# everything else is down.
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
      # An engine that is refused asks again and again: only what succeeded is written.
      filter   = "resource.type = \"gcs_bucket\" AND resource.labels.bucket_name = \"${var.bucket}\" AND metric.type = \"storage.googleapis.com/api/request_count\" AND metric.labels.method = monitoring.regex.full_match(\"WriteObject|InsertObject.*\") AND metric.labels.response_code = \"OK\""
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

# The rules are evaluated beside the engine, on the machine (small) or by managed Prometheus in the cluster (scale). Either way what fires
# is written to Cloud Monitoring as the series ALERTS, `cluster` being the deployment's name; from here it is mailed without the network
# needing a way out. One mail for what one fault makes of many partitions and tables.
resource "google_monitoring_alert_policy" "prometheus" {
  for_each = toset(["critical", "warning"])

  project      = var.project
  display_name = "Beatlytica ${var.name}: ${each.key}"
  combiner     = "OR"
  severity     = upper(each.key)
  user_labels  = var.labels

  notification_channels = google_monitoring_notification_channel.email[*].id

  conditions {
    display_name = "An alert of infra/prometheus/rules fires"
    condition_prometheus_query_language {
      query               = "count by (alertname) (ALERTS{alertstate=\"firing\", severity=\"${each.key}\", cluster=\"${var.name}\"})"
      duration            = "0s"
      evaluation_interval = "60s"
      # The series comes into being with the first alert that fires.
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    subject   = "Beatlytica ${var.name}, ${each.key}: $${metric_or_resource.label.alertname}"
    content   = "docs/runbooks/$${metric_or_resource.label.alertname}.md says what it means and what to do."
  }

  # The shortest that there is: the series ends when the alert does.
  alert_strategy {
    auto_close = "1800s"
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
