output "engine" {
  description = "The engine's account: email, member, name."
  value = {
    email  = google_service_account.engine.email
    member = google_service_account.engine.member
    name   = google_service_account.engine.name
  }
}

output "batch" {
  description = "The account of Airflow and dbt: email, member, name."
  value = {
    email  = google_service_account.batch.email
    member = google_service_account.batch.member
    name   = google_service_account.batch.name
  }
}

output "node" {
  description = "The account of Kubernetes nodes: email, member, name."
  value = {
    email  = google_service_account.node.email
    member = google_service_account.node.member
    name   = google_service_account.node.name
  }
}

output "lake_writer_role" {
  description = "Custom role that creates and reads objects."
  value       = google_project_iam_custom_role.lake_writer.name
}

output "lake_reader_role" {
  description = "Custom role that reads objects."
  value       = google_project_iam_custom_role.lake_reader.name
}

output "lake_writer_permissions" {
  description = "What the writer's role holds."
  value       = google_project_iam_custom_role.lake_writer.permissions
}

output "project_roles" {
  description = "Every role that is granted on the whole project."
  value       = sort(distinct([for grant in google_project_iam_member.this : grant.role]))
}
