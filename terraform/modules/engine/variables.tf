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

variable "network" {
  type        = string
  description = "Id of the network."
}

variable "subnetwork" {
  type        = string
  description = "Id of the subnetwork; it has the ranges \"pods\" and \"services\"."
}

variable "node_account" {
  type        = string
  description = "Email of the account that nodes act as."
}

variable "engine_account" {
  type        = object({ email = string, member = string, name = string })
  description = "The account that the engine's pods act as."
}

variable "namespace" {
  type        = string
  default     = "beatlytica"
  description = "Kubernetes namespace of the engine."
}

variable "kubernetes_account" {
  type        = string
  default     = "engine"
  description = "Kubernetes account of the engine's pods."
}

variable "deletion_protection" {
  type        = bool
  default     = true
  description = "Whether the cluster refuses to be destroyed; `make destroy` lifts it."
}

variable "labels" {
  type        = map(string)
  default     = {}
  description = "Labels."
}

variable "kms_key" {
  type        = string
  default     = null
  description = "Key of your own that encrypts Kubernetes' secrets and the nodes' disks; Google's otherwise."
}
