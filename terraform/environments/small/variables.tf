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

variable "zone" {
  type        = string
  default     = null
  description = "Zone of the machine; the region's \"-b\" without it."

  validation {
    condition     = var.zone == null || startswith(coalesce(var.zone, " "), "${var.region}-")
    error_message = "zone lies in the region: \"REGION-b\"."
  }
}

variable "machine_type" {
  type        = string
  default     = "e2-standard-2"
  description = "Kind of machine: 2 CPUs and 8 GB hold the whole stack."
}

variable "data_gb" {
  type        = number
  default     = 30
  description = "Size of the data disk; it may grow at any time, and never shrink."
}

variable "simulate" {
  type        = bool
  default     = true
  description = "Whether simulated listeners send events, so that there is something to see."
}

variable "airflow" {
  type        = bool
  default     = true
  description = "Whether Airflow runs dbt every hour."
}

variable "budget" {
  type        = number
  default     = 75
  description = "Monthly amount, in the billing account's currency, at which to warn."
}

variable "currency" {
  type        = string
  default     = "USD"
  description = "The billing account's currency."
}
