output "channel" {
  description = "Notification channel, or null."
  value       = one(google_monitoring_notification_channel.email[*].id)
}

output "budget" {
  description = "Name of the budget, or null."
  value       = one(google_billing_budget.this[*].display_name)
}
