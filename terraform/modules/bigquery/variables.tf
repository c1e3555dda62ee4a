variable "project" {
  type        = string
  description = "Project id."
}

variable "name" {
  type        = string
  description = "Prefix of the datasets' names."
}

variable "location" {
  type        = string
  description = "Where the data lies; the bucket's location."
}

variable "labels" {
  type        = map(string)
  default     = {}
  description = "Labels."
}

variable "kms_key" {
  type        = string
  default     = null
  description = "Key of your own that encrypts the tables; Google's otherwise."
}

variable "batch_member" {
  type        = string
  description = "Who fills the datasets."
}

variable "viewers" {
  type        = list(string)
  default     = []
  description = "Who may read the marts: \"user:…\", \"group:…\"."

  validation {
    condition     = alltrue([for member in var.viewers : can(regex("^(user|group|domain|serviceAccount):.+", member))])
    error_message = "Each viewer is \"user:ADDRESS\", \"group:ADDRESS\", \"domain:NAME\" or \"serviceAccount:ADDRESS\"; never allUsers."
  }
}
