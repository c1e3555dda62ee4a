variable "project" {
  type        = string
  description = "Project id."
}

variable "zone" {
  type        = string
  description = "Zone of the machine."

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+-[a-z]$", var.zone))
    error_message = "zone is one such as \"europe-west1-b\"; `gcloud compute zones list` names them."
  }
}

variable "name" {
  type        = string
  description = "Name of the machine."
}

variable "machine_type" {
  type        = string
  default     = "e2-standard-2"
  description = "Kind of machine."

  validation {
    condition     = can(regex("^(e2|n2|n2d|n4|c3|c3d|c4|t2d)-(custom-|standard-|highmem-|highcpu-|medium)", var.machine_type))
    error_message = "machine_type is an x86 kind such as \"e2-standard-2\"; the images are built for x86-64, and less than 4 GB of memory does not hold the stack."
  }
}

variable "data_gb" {
  type        = number
  default     = 30
  description = "Size of the disk that holds Kafka's log, Prometheus' series and Airflow's database."

  validation {
    condition     = var.data_gb >= 20
    error_message = "data_gb is 20 or more."
  }
}

variable "subnetwork" {
  type        = string
  description = "Id of the subnetwork."
}

variable "ssh_tag" {
  type        = string
  description = "Network tag that lets SSH from Identity-Aware Proxy in."
}

variable "service_account" {
  type        = string
  description = "Email of the account that the machine acts as."
}

variable "stack_image" {
  type        = string
  description = "Image with compose and all settings; its tag is also the engine's."

  validation {
    condition     = can(regex("^[a-z0-9.-]+/.+:[A-Za-z0-9_.-]+$", var.stack_image)) && !endswith(var.stack_image, ":latest")
    error_message = "stack_image is REGISTRY/PATH:TAG with a tag that names one build, not \"latest\"."
  }
}

variable "environment" {
  type        = map(string)
  description = "Variables for compose. They are readable to whoever may read the machine's metadata: no secret belongs here."

  validation {
    condition     = alltrue([for name, value in var.environment : !can(regex("(?i)(password|secret|token|private_key)$", name))])
    error_message = "No secret belongs into the machine's metadata: put it into Secret Manager and pass the secret's name."
  }
}

variable "profiles" {
  type        = list(string)
  description = "Compose profiles that run."
}

variable "operators" {
  type        = list(string)
  description = "Who may sign in through Identity-Aware Proxy."
}

variable "labels" {
  type        = map(string)
  default     = {}
  description = "Labels."
}

variable "kms_key" {
  type        = string
  default     = null
  description = "Key of your own that encrypts the disks; Google's otherwise."
}
