terraform {
  # Conditions of a variable that name another came with it.
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  # `make deploy` makes the bucket and names it: -backend-config=bucket=PROJECT-NAME-state.
  backend "gcs" {
    prefix = "small"
  }
}

provider "google" {
  project               = var.project
  region                = var.region
  billing_project       = var.project
  user_project_override = true
  default_labels        = local.labels
}
