variable "project" {
  type        = string
  description = "Project id."
}

variable "region" {
  type        = string
  description = "Region of the subnetwork."
}

variable "name" {
  type        = string
  description = "Name of the network and of what is in it."
}

variable "cidr" {
  type        = string
  default     = "10.20.0.0/20"
  description = "Addresses of machines."

  validation {
    condition     = can(cidrhost(var.cidr, 0))
    error_message = "cidr is a range such as \"10.20.0.0/20\"."
  }
}

variable "pods_cidr" {
  type        = string
  default     = null
  description = "Addresses of pods; without it there are no secondary ranges."

  validation {
    condition     = var.pods_cidr == null || can(cidrhost(var.pods_cidr, 0))
    error_message = "pods_cidr is a range such as \"10.24.0.0/16\"."
  }
}

variable "services_cidr" {
  type        = string
  default     = "10.25.0.0/20"
  description = "Addresses of Kubernetes services; used with pods_cidr."

  validation {
    condition     = can(cidrhost(var.services_cidr, 0))
    error_message = "services_cidr is a range such as \"10.25.0.0/20\"."
  }
}

variable "nat" {
  type        = bool
  default     = false
  description = "Whether machines reach the internet (through Cloud NAT, outward only)."
}

variable "ssh_tag" {
  type        = string
  default     = "iap-ssh"
  description = "Network tag of the machines that accept SSH from Identity-Aware Proxy."
}
