variable "project" {
  type        = string
  description = "Project id."
}

variable "name" {
  type        = string
  description = "The deployment's name, which its alerts carry as `cluster`."
}

variable "project_number" {
  type        = string
  default     = null
  description = "The project's number, by which budgets know it; needed with billing_account."
}

variable "bucket" {
  type        = string
  description = "The lake's bucket."
}

variable "alert_email" {
  type        = string
  default     = null
  description = "Where alerts go."

  validation {
    condition     = var.alert_email == null || can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.alert_email))
    error_message = "alert_email is an address such as \"you@example.com\"."
  }
}

variable "silence_minutes" {
  type        = number
  default     = 15
  description = "So long without a written object is worth an alert."

  validation {
    condition     = var.silence_minutes >= 5 && var.silence_minutes <= 1410
    error_message = "silence_minutes is 5 to 1410: objects come every two minutes, and Cloud Monitoring waits at most 23 hours and 30 minutes."
  }
}

variable "billing_account" {
  type        = string
  default     = null
  description = "Billing account; without it there is no budget alert."

  validation {
    condition     = var.billing_account == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "billing_account is like \"012345-6789AB-CDEF01\"; `gcloud billing accounts list` shows it."
  }
}

variable "budget" {
  type        = number
  default     = 75
  description = "Whole units of the currency a month at which to warn."

  validation {
    condition     = var.budget >= 1 && floor(var.budget) == var.budget
    error_message = "budget is a whole number of 1 or more."
  }
}

variable "currency" {
  type        = string
  default     = "USD"
  description = "Currency of the billing account."

  validation {
    condition     = can(regex("^[A-Z]{3}$", var.currency))
    error_message = "currency is three letters such as \"EUR\", the billing account's own."
  }
}

variable "labels" {
  type        = map(string)
  default     = {}
  description = "Labels."
}
