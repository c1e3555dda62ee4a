variable "project" {
  type        = string
  description = "Project id."
}

variable "name" {
  type        = string
  description = "Name of the bucket; unique in the world."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$", var.name)) && !startswith(var.name, "goog") && !strcontains(var.name, "google")
    error_message = "A bucket's name has 3 to 63 small letters, digits, - and _, begins and ends with a letter or digit, and does not hold \"google\"."
  }
}

variable "location" {
  type        = string
  description = "Region or multi-region; the one where the engine runs costs nothing to write to."
}

variable "prefix" {
  type        = string
  default     = ""
  description = "Folder within the bucket, as in lake.url."
}

variable "labels" {
  type        = map(string)
  default     = {}
  description = "Labels."
}

variable "kms_key" {
  type        = string
  default     = null
  description = "Key of your own that encrypts the objects; Google's otherwise."

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is \"projects/P/locations/L/keyRings/R/cryptoKeys/K\"."
  }
}

variable "soft_delete_days" {
  type        = number
  default     = 30
  description = "How long deleted objects can be brought back."

  validation {
    condition     = var.soft_delete_days >= 7 && var.soft_delete_days <= 90
    error_message = "soft_delete_days is 7 to 90: Cloud Storage keeps deleted objects no longer than 90 days, and less than 7 is too short to notice a mistake."
  }
}

variable "colder_after_days" {
  type        = map(number)
  default     = { NEARLINE = 90, COLDLINE = 365 }
  description = "Storage class => age in days at which the lake's data moves there."

  validation {
    condition     = alltrue([for class, age in var.colder_after_days : contains(["NEARLINE", "COLDLINE", "ARCHIVE"], class) && age >= 30])
    error_message = "colder_after_days maps NEARLINE, COLDLINE or ARCHIVE to an age of 30 days or more."
  }
}

variable "state_days" {
  type        = number
  default     = 7
  description = "Age in days at which old window state is removed."

  validation {
    condition     = var.state_days >= 3
    error_message = "state_days is 3 or more: windows reach 48 hours back, and a restart needs the newest state."
  }
}

variable "writers" {
  type        = map(string)
  description = "Name => member who may create and read objects."
}

variable "readers" {
  type        = map(string)
  default     = {}
  description = "Name => member who may read objects."
}

variable "writer_role" {
  type        = string
  description = "Role of the writers."

  validation {
    condition     = !contains(["roles/storage.admin", "roles/storage.objectAdmin", "roles/storage.objectUser", "roles/owner", "roles/editor"], var.writer_role)
    error_message = "writer_role must not be able to overwrite or delete objects; the identities module makes one that cannot."
  }
}

variable "reader_role" {
  type        = string
  default     = "roles/storage.objectViewer"
  description = "Role of the readers."
}
