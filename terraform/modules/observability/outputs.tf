output "channel" {
  description = "Notification channel, or null."
  value       = one(google_monitoring_notification_channel.email[*].id)
}

output "budget" {
  description = "Name of the budget, or null."
  value       = one(google_billing_budget.this[*].display_name)
}

output "alerts_of" {
  description = "What the series of alerts that are mailed carry as `cluster`."
  value       = var.name
}
