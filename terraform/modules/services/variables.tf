variable "project" {
  type        = string
  description = "Project id."
}

variable "services" {
  type        = list(string)
  description = "API names, such as storage.googleapis.com."

  validation {
    condition     = alltrue([for name in var.services : endswith(name, ".googleapis.com")])
    error_message = "Each service is named in full, such as \"storage.googleapis.com\"."
  }
}
