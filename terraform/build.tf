# The build of this clone: the account that builds and deploys images, and what triggers
# Cloud Build. With images from elsewhere there is none of this.

variable "build_region" {
  description = "Region of Cloud Build's machines, or global. Null is the region, or that of build_worker_pool. Some regions give new projects fewer processors than the build needs, which global does not, but policies about locations may refuse global."
  type        = string
  default     = null

  validation {
    condition     = var.build_region == null || can(regex("^(global|[a-z]+-[a-z]+[0-9]+)$", var.build_region))
    error_message = "build_region must be global or a region such as europe-west1."
  }
}

variable "build_worker_pool" {
  description = "Private pool to build in, projects/P/locations/L/workerPools/W. It must reach Docker Hub, gcr.io and the Go module proxy; the deployer needs roles/cloudbuild.workerPoolUser in its project. Null builds on Cloud Build's own machines."
  type        = string
  default     = null

  validation {
    condition     = var.build_worker_pool == null || can(regex("^projects/[a-z0-9:.-]+/locations/[a-z]+-[a-z]+[0-9]+/workerPools/[a-z0-9-]+$", var.build_worker_pool))
    error_message = "build_worker_pool must be projects/P/locations/L/workerPools/W, with a region as location."
  }

  validation {
    condition     = var.build_region == null || try(split("/", var.build_worker_pool)[3], var.build_region) == var.build_region
    error_message = "build_worker_pool is in another region than build_region; leave build_region out."
  }
}

locals {
  builds       = var.images == null ? 1 : 0
  build_region = var.build_worker_pool == null ? coalesce(var.build_region, var.region) : split("/", var.build_worker_pool)[3]
}

resource "google_service_account" "build" {
  count = local.builds

  project         = var.project
  account_id      = "${var.prefix}-build"
  display_name    = "Aerosink's builds: build and deploy the images"
  deletion_policy = local.deletion_policy
  depends_on      = [google_project_service.api]
}

resource "google_artifact_registry_repository_iam_member" "images_build" {
  count = local.builds

  project    = var.project
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.id
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build[0].member
}

resource "google_project_iam_member" "build_logs" {
  count = local.builds

  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build[0].member
}

# The bucket that gcloud uploads sources to for the build.
resource "google_storage_bucket" "build" {
  count = local.builds

  project                     = var.project
  name                        = "${var.project}-${var.prefix}-build"
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true
  depends_on                  = [google_project_service.api, google_kms_crypto_key_iam_member.agents]

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = 1
    }
  }
}

resource "google_storage_bucket_iam_member" "build_sources" {
  count = local.builds

  bucket = google_storage_bucket.build[0].id
  role   = "roles/storage.objectViewer"
  member = google_service_account.build[0].member
}

locals {
  top = "${path.module}/.."

  # All sources of the images. Empty if only terraform/ exists.
  sources = sort([
    for path in setunion(
      fileset(local.top, "go.{mod,sum}"),
      fileset(local.top, "{connector,function}/**/*.{go,yaml,avsc}"),
      fileset(local.top, "{connector,function}/Dockerfile*"),
    ) : path if !endswith(path, "_test.go")
  ])

  # Short enough for a tag, and not mistaken for a commit.
  sources_hash = "clone-${substr(sha256(join("", [for path in local.sources : "${path} ${filesha256("${local.top}/${path}")}\n"])), 0, 12)}"
}

# An apply builds if the sources or the repository have changed since the last one.
resource "terraform_data" "build" {
  count = local.builds

  triggers_replace = [local.sources_hash, google_artifact_registry_repository.images.id]

  provisioner "local-exec" {
    command     = "sh terraform/build.sh"
    working_dir = local.top
    environment = {
      PROJECT = var.project
      REGION  = var.region
      AT      = local.build_region
      POOL    = var.build_worker_pool
      PREFIX  = google_artifact_registry_repository.images.repository_id
      ACCOUNT = google_service_account.build[0].name
      BUCKET  = google_storage_bucket.build[0].name
      TAG     = local.sources_hash
    }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.images_build,
    google_project_iam_member.build_logs,
    google_storage_bucket_iam_member.build_sources,
  ]
}
