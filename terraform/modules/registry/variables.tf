variable "project" {
  type        = string
  description = "Project id."
}

variable "region" {
  type        = string
  description = "Region of the repositories."
}

variable "name" {
  type        = string
  description = "Name of the repository of own images; the mirror has \"-mirror\" behind it."
}

variable "labels" {
  type        = map(string)
  default     = {}
  description = "Labels."
}

variable "kms_key" {
  type        = string
  default     = null
  description = "Key of your own that encrypts the images; Google's otherwise."
}

variable "readers" {
  type        = map(string)
  description = "Name => member who may pull."
}
