output "name" {
  description = "Name of the environment."
  value       = google_composer_environment.this.name
}

output "web" {
  description = "Address of Airflow's page; it asks for a Google sign-in."
  value       = google_composer_environment.this.config[0].airflow_uri
}

output "dags" {
  description = "Where DAGs are copied to."
  value       = google_composer_environment.this.config[0].dag_gcs_prefix
}

output "environment" {
  description = "What DAGs and dbt are told."
  value       = google_composer_environment.this.config[0].software_config[0].env_variables
}
