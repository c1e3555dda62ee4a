variable "project" {
  type        = string
  description = "Project id."
}

variable "region" {
  type        = string
  description = "Region of the environment."
}

variable "name" {
  type        = string
  description = "Name of the environment."
}

variable "network" {
  type        = string
  description = "Id of the network."
}

variable "subnetwork" {
  type        = string
  description = "Id of the subnetwork."
}

variable "service_account" {
  type        = string
  description = "Email of the account that tasks act as."
}

variable "image_version" {
  type        = string
  default     = "composer-3-airflow-3"
  description = "Composer and Airflow versions; `gcloud composer environments list-upgrades` and the release notes name them."

  validation {
    condition     = can(regex("^composer-3(\\.[0-9]+)*-airflow-3(\\.[0-9]+)*(-build\\.[0-9]+)?$", var.image_version))
    error_message = "image_version is \"composer-3-airflow-3…\": the DAGs are written for Airflow 3."
  }
}

variable "pypi_packages" {
  type        = map(string)
  default     = {}
  description = "Python package => version, such as \"==1.15.0\"."
}

variable "environment" {
  type        = map(string)
  default     = {}
  description = "Variables of DAGs and dbt."
}

variable "labels" {
  type        = map(string)
  default     = {}
  description = "Labels."
}

variable "kms_key" {
  type        = string
  default     = null
  description = "Key of your own that encrypts the environment; Google's otherwise."
}
