variable "project" {
  type        = string
  description = "Project id; `gcloud projects list` shows it."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project is a project id: 6 to 30 small letters, digits and hyphens. It is not the project's name or number; `gcloud projects list` shows it."
  }
}

variable "region" {
  type        = string
  default     = "europe-west1"
  description = "Region of everything."

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is one such as \"europe-west1\" (no zone letter behind it); `gcloud compute regions list` names them."
  }
}

variable "name" {
  type        = string
  default     = "beatlytica"
  description = "Prefix of all names; another one makes a second, separate system in the same project."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,21}[a-z0-9]$", var.name))
    error_message = "name has 3 to 23 small letters, digits and hyphens, and begins with a letter."
  }
}

variable "image_tag" {
  type        = string
  description = "Tag of the images that run; `make deploy` sets it to the commit."

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag names one build, such as a commit's first 12 digits; \"latest\" could not be rolled back."
  }
}

variable "operators" {
  type        = list(string)
  description = "Who may sign in and open tunnels: \"user:you@example.com\", \"group:…\"."

  validation {
    condition     = length(var.operators) > 0 && alltrue([for member in var.operators : can(regex("^(user|group):[^@ ]+@[^@ ]+$", member))])
    error_message = "operators names at least one \"user:ADDRESS\" or \"group:ADDRESS\"; without one nobody reaches the system, for it has no public address."
  }
}

variable "lake_bucket" {
  type        = string
  default     = null
  description = "Name of the lake's bucket; PROJECT-NAME-lake without it."
}

variable "adopt_lake" {
  type        = bool
  default     = false
  description = "Take the bucket over because it is there already, as after `make destroy`. `make deploy` finds out."
}

variable "kms_key" {
  type        = string
  default     = null
  description = "Key of your own (CMEK) in the region, for bucket, tables, disks and images; Google's otherwise."

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is \"projects/P/locations/L/keyRings/R/cryptoKeys/K\"; `gcloud kms keys list` shows it."
  }
}

variable "soft_delete_days" {
  type        = number
  default     = 30
  description = "How long deleted objects of the lake can be brought back, 7 to 90."
}

variable "alert_email" {
  type        = string
  default     = null
  description = "Who is mailed when an alert fires, Prometheus' ones included."
}

variable "billing_account" {
  type        = string
  default     = null
  description = "Billing account, for the budget alert."
}

variable "mart_viewers" {
  type        = list(string)
  default     = []
  description = "Who may read the marts in BigQuery."
}

variable "labels" {
  type        = map(string)
  default     = {}
  description = "Further labels."

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "Labels have small letters, digits, _ and -; a key begins with a letter."
  }
}

variable "external_brokers" {
  type        = string
  default     = null
  description = "Bootstrap address of a Redpanda or Kafka of your own, \"host:port,…\"; without it Managed Service for Apache Kafka is made."

  validation {
    condition     = var.external_brokers == null || can(regex("^[^:, ]+:[0-9]+(,[^:, ]+:[0-9]+)*$", var.external_brokers))
    error_message = "external_brokers is \"host:port,host:port\"."
  }
}

variable "external_sasl_mechanism" {
  type        = string
  default     = "SCRAM-SHA-512"
  description = "How the engine signs in at external_brokers; user and password are in the secrets that this makes."

  validation {
    condition     = contains(["SCRAM-SHA-256", "SCRAM-SHA-512"], var.external_sasl_mechanism)
    error_message = "external_sasl_mechanism is SCRAM-SHA-256 or SCRAM-SHA-512; with PLAIN the broker would learn the password."
  }
}

variable "client_ca_pool" {
  type        = string
  default     = null
  description = "Certificate Authority Service pool that signs the clients of Managed Service for Apache Kafka."

  validation {
    condition     = var.client_ca_pool != null || var.external_brokers != null
    error_message = "Managed Service for Apache Kafka needs client_ca_pool (docs/setup/kafka.md shows how to make one); or name your own brokers with external_brokers."
  }
}

variable "kafka_vcpus" {
  type        = number
  default     = 3
  description = "CPUs of the managed Kafka cluster."
}

variable "kafka_memory_gib" {
  type        = number
  default     = 12
  description = "Memory of the managed Kafka cluster."
}

variable "partitions" {
  type        = number
  default     = 16
  description = "Partitions of each topic of the managed Kafka cluster."
}

variable "engine_replicas" {
  type        = number
  default     = 1
  description = "Engines that share the partitions."

  validation {
    condition     = var.engine_replicas == 1
    error_message = "engine_replicas is 1 for now: each engine answers for its own partitions only, and the answers of several are not merged yet. The lake would be right with more; the charts would not."
  }
}

variable "airflow" {
  type        = string
  default     = "vm"
  description = "Who runs dbt every hour: \"vm\" (a machine with the Airflow image), \"composer\" (Cloud Composer, ten times the price) or \"none\"."

  validation {
    condition     = contains(["composer", "vm", "none"], var.airflow)
    error_message = "airflow is \"composer\", \"vm\" or \"none\"."
  }
  validation {
    condition     = var.airflow != "composer" || (contains(keys(var.composer_packages), "astronomer-cosmos") && contains(keys(var.composer_packages), "dbt-bigquery"))
    error_message = "airflow = \"composer\" needs composer_packages with astronomer-cosmos and dbt-bigquery, in versions that fit Composer's own (docs/setup/airflow.md); without them no DAG can be read."
  }
}

variable "composer_image_version" {
  type        = string
  default     = "composer-3-airflow-3"
  description = "Composer and Airflow versions."
}

variable "composer_packages" {
  type        = map(string)
  default     = {}
  description = "Python packages for Composer, name => \"==version\": cosmos and dbt, in versions that fit Composer's own packages."
}

variable "deletion_protection" {
  type        = bool
  default     = true
  description = "Whether the cluster refuses to be destroyed; `make destroy` lifts it."
}

variable "budget" {
  type        = number
  default     = 900
  description = "Monthly amount, in the billing account's currency, at which to warn."
}

variable "currency" {
  type        = string
  default     = "USD"
  description = "The billing account's currency."
}
