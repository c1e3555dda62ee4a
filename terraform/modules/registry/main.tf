# `images` holds the project's own images; `mirror` passes Docker Hub's through, so that machines without a way to the internet can pull them.
resource "google_artifact_registry_repository" "images" {
  project       = var.project
  location      = var.region
  repository_id = var.name
  format        = "DOCKER"
  description   = "Beatlytica's own images."
  kms_key_name  = var.kms_key
  labels        = var.labels

  # A tag names one image for ever: a rollback gets what ran before. So no policy could remove an old one (docs/setup/costs.md).
  docker_config {
    immutable_tags = true
  }
}

resource "google_artifact_registry_repository" "mirror" {
  project       = var.project
  location      = var.region
  repository_id = "${var.name}-mirror"
  format        = "DOCKER"
  mode          = "REMOTE_REPOSITORY"
  description   = "Docker Hub, passed through."
  kms_key_name  = var.kms_key
  labels        = var.labels

  remote_repository_config {
    docker_repository {
      public_repository = "DOCKER_HUB"
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "reader" {
  for_each = {
    for pair in setproduct(["images", "mirror"], keys(var.readers)) : "${pair[0]} ${pair[1]}" => {
      repository = pair[0] == "images" ? google_artifact_registry_repository.images.name : google_artifact_registry_repository.mirror.name
      member     = var.readers[pair[1]]
    }
  }

  project    = var.project
  location   = var.region
  repository = each.value.repository
  role       = "roles/artifactregistry.reader"
  member     = each.value.member
}
