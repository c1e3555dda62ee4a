variable "project" {
  type        = string
  description = "Project id."
}

variable "name" {
  type        = string
  description = "Prefix of the accounts' names."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,21}[a-z0-9]$", var.name))
    error_message = "name has 3 to 23 small letters, digits and hyphens, so that \"-engine\" still fits into an account's name."
  }
}
