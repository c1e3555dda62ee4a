variable "project" {
  type        = string
  description = "Project id."
}

variable "region" {
  type        = string
  description = "Region of the cluster."
}

variable "name" {
  type        = string
  description = "Name of the cluster."
}

variable "subnetwork" {
  type        = string
  description = "Subnetwork from which the brokers are reached."
}

variable "labels" {
  type        = map(string)
  default     = {}
  description = "Labels."
}

variable "kms_key" {
  type        = string
  default     = null
  description = "Key of your own that encrypts the log; Google's otherwise."
}

variable "vcpus" {
  type        = number
  default     = 3
  description = "CPUs of the cluster."

  validation {
    condition     = var.vcpus >= 3 && floor(var.vcpus) == var.vcpus
    error_message = "vcpus is a whole number of 3 or more: the service has a broker in each of three zones."
  }
}

variable "memory_gib" {
  type        = number
  default     = 12
  description = "Memory of the cluster."

  validation {
    condition     = var.memory_gib >= var.vcpus && var.memory_gib <= 8 * var.vcpus
    error_message = "memory_gib is between 1 and 8 GiB for each CPU."
  }
}

variable "partitions" {
  type        = number
  default     = 16
  description = "Partitions of each topic; more can be added later, never fewer."

  validation {
    condition     = var.partitions >= 1 && var.partitions <= 1000
    error_message = "partitions is 1 to 1000; see docs/setup/kafka.md for how many are useful."
  }
}

variable "retention_hours" {
  type        = number
  default     = 168
  description = "How long events stay in Kafka: the longest outage of the engine without loss."

  validation {
    condition     = var.retention_hours >= 24
    error_message = "retention_hours is 24 or more: what Kafka drops before the engine reads it is lost."
  }
}

variable "group_id" {
  type        = string
  default     = "beatlytica"
  description = "Consumer group of the engine (kafka.group_id)."
}

variable "client_ca_pool" {
  type        = string
  description = "Certificate Authority Service pool that signs client certificates."

  validation {
    condition     = can(regex("^projects/[^/]+/locations/[^/]+/caPools/[^/]+$", var.client_ca_pool))
    error_message = "client_ca_pool is \"projects/P/locations/L/caPools/NAME\"; docs/setup/kafka.md shows how to make one."
  }
}

variable "engine_principal" {
  type        = string
  default     = "engine"
  description = "Common name of the engine's certificate."
}

variable "producer_principals" {
  type        = list(string)
  default     = ["producer"]
  description = "Common names of certificates that may send events."
}
