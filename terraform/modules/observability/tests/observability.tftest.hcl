mock_provider "google" {}

variables {
  project        = "some-project"
  name           = "music"
  project_number = "123456789"
  bucket         = "some-project-lake"
  labels         = { app = "beatlytica", team = "music" }
}

run "nobody_to_tell_and_nothing_to_bill" {
  assert {
    condition     = output.channel == null && output.budget == null
    error_message = "Without an address and an account there is neither channel nor budget."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.nothing_written.conditions[0].condition_absent[0].filter, "some-project-lake")
    error_message = "The alert watches the lake."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.nothing_written.conditions[0].condition_absent[0].filter, "metric.labels.response_code = \"OK\"")
    error_message = "A request that failed has written nothing."
  }
}

run "a_budget_of_this_system_alone" {
  variables {
    alert_email     = "you@example.com"
    billing_account = "012345-6789AB-CDEF01"
    budget          = 50
    currency        = "EUR"
  }

  assert {
    condition     = google_billing_budget.this[0].budget_filter[0].labels == tomap({ app = "beatlytica" }) && tolist(google_billing_budget.this[0].budget_filter[0].projects) == tolist(["projects/123456789"])
    error_message = "The budget counts what carries the label, in this project."
  }
  assert {
    condition     = google_billing_budget.this[0].amount[0].specified_amount[0].units == "50" && length(google_billing_budget.this[0].threshold_rules) == 3
    error_message = "It warns at half, nine tenths and when the forecast passes the whole."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.nothing_written.notification_channels) == 1
    error_message = "Alerts reach the address."
  }
  assert {
    condition     = alltrue([for severity, policy in google_monitoring_alert_policy.prometheus : policy.severity == upper(severity) && policy.notification_channels == tolist([output.channel])])
    error_message = "Prometheus' alerts reach the address too."
  }
  assert {
    condition     = { for severity, policy in google_monitoring_alert_policy.prometheus : severity => policy.conditions[0].condition_prometheus_query_language[0].query } == { for severity in ["critical", "warning"] : severity => "count by (alertname) (ALERTS{alertstate=\"firing\", severity=\"${severity}\", cluster=\"music\"})" }
    error_message = "A policy for each severity, on what fires in this deployment alone."
  }
  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.prometheus : policy.conditions[0].condition_prometheus_query_language[0].disable_metric_validation])
    error_message = "The series need not be there yet."
  }
}

run "bad_email" {
  command = plan
  variables {
    alert_email = "you"
  }
  expect_failures = [var.alert_email]
}

run "bad_silence" {
  command = plan
  variables {
    silence_minutes = 1
  }
  expect_failures = [var.silence_minutes]
}

run "bad_account" {
  command = plan
  variables {
    billing_account = "mine"
  }
  expect_failures = [var.billing_account]
}

run "bad_budget" {
  command = plan
  variables {
    budget = 0
  }
  expect_failures = [var.budget]
}

run "bad_currency" {
  command = plan
  variables {
    currency = "euro"
  }
  expect_failures = [var.currency]
}
