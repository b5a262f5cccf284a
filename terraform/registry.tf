# The repository of the images, and which ones run.

variable "images" {
  description = "Images to run, connector and sink, each with its digest: REGISTRY/NAME@sha256:DIGEST. Null has Cloud Build build them from this clone. The accounts that run them need read access to registries in other projects."
  type = object({
    connector = string
    sink      = string
  })
  default = null

  validation {
    condition     = var.images == null || alltrue([for i in values(coalesce(var.images, {})) : can(regex("^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+(:[A-Za-z0-9_.-]+)?@sha256:[0-9a-f]{64}$", i))])
    error_message = "images must have their registry and digest, such as europe-west1-docker.pkg.dev/PROJECT/REPOSITORY/sink@sha256:…; a tag could be moved to another image. gcloud artifacts docker images describe IMAGE:TAG prints the digest."
  }
}

resource "google_artifact_registry_repository" "images" {
  project         = var.project
  repository_id   = var.prefix
  location        = var.region
  labels          = local.labels
  format          = "DOCKER"
  kms_key_name    = var.kms_key
  deletion_policy = local.deletion_policy
  depends_on      = [google_project_service.api, google_kms_crypto_key_iam_member.agents]

  cleanup_policy_dry_run = false

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      tag_state  = "ANY"
      older_than = "2592000s"
    }
  }

  # Keep rules win over delete rules. A build marks what it deploys as deployed-TAG: a
  # recreated machine finds its image whatever its age, and a rollback the one before.
  cleanup_policies {
    id     = "keep-deployed"
    action = "KEEP"
    condition {
      tag_state    = "TAGGED"
      tag_prefixes = ["latest", "deployed-"]
    }
  }

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 20
    }
  }
}

# Cloud Run's service agent reads the images.
resource "google_artifact_registry_repository_iam_member" "images_connector" {
  project    = var.project
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.id
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.connector.member
}

# The digests behind latest. A build moves it for each half that it has deployed, and for
# both if this apply started it. So what Cloud Build deploys is not drift, and an apply does
# not undo it.
data "google_artifact_registry_docker_image" "image" {
  for_each = toset(local.builds == 0 ? [] : ["connector", "sink"])

  project       = var.project
  location      = google_artifact_registry_repository.images.location
  repository_id = google_artifact_registry_repository.images.repository_id
  image_name    = "${each.key}:latest"
  depends_on    = [terraform_data.build]
}

locals {
  images = var.images != null ? var.images : {
    connector = data.google_artifact_registry_docker_image.image["connector"].self_link
    sink      = data.google_artifact_registry_docker_image.image["sink"].self_link
  }
}
