# The Google APIs that a profile needs. They stay on when the profile is destroyed: other things in the project may use them.
resource "google_project_service" "this" {
  for_each = toset(var.services)

  project            = var.project
  service            = each.value
  disable_on_destroy = false
}
