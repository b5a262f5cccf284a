# Deployment from GitHub Actions without keys: workload identity federation lets workflows of
# one branch of one repository act as an account that may start a build, and nothing else.
# The build deploys as its own account. Give the repository its variables, and copy
# deploy.yml into it:
#
#   terraform output -raw github_variables | gh variable set --env-file=-
#   cp deploy.yml CLONE/.github/workflows/

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.33, < 9"
    }
  }
}

variable "repository_id" {
  description = "Number of the repository on GitHub, which nobody can take over as they can its name: gh api repos/OWNER/NAME --jq .id"
  type        = string

  validation {
    condition     = can(regex("^[1-9][0-9]*$", var.repository_id))
    error_message = "repository_id must be a number; gh api repos/OWNER/NAME --jq .id prints it."
  }
}

variable "branch" {
  description = "Branch whose workflows may deploy. Protect it on GitHub."
  type        = string
  default     = "main"

  validation {
    condition     = can(regex("^[A-Za-z0-9._/-]+$", var.branch))
    error_message = "branch must be the name of a branch, without refs/heads/."
  }
}

module "aerosink" {
  source = "../.." # elsewhere: "git::https://github.com/aerosink/aerosink.git//terraform?ref=COMMIT"

  project          = var.project
  region           = var.region
  subnetwork       = var.subnetwork
  aerospike_ranges = var.aerospike_ranges
}

resource "google_project_service" "federation" {
  for_each = toset(["iam.googleapis.com", "iamcredentials.googleapis.com", "sts.googleapis.com"])

  project            = var.project
  service            = each.key
  disable_on_destroy = false
}

resource "google_iam_workload_identity_pool" "github" {
  project                   = var.project
  workload_identity_pool_id = "aerosink-github"
  display_name              = "Aerosink's repository"
  depends_on                = [google_project_service.federation]
}

resource "google_iam_workload_identity_pool_provider" "github" {
  project                            = var.project
  workload_identity_pool_id          = google_iam_workload_identity_pool.github.workload_identity_pool_id
  workload_identity_pool_provider_id = "actions"
  display_name                       = "GitHub Actions"

  attribute_mapping = {
    "google.subject"          = "assertion.sub"
    "attribute.repository_id" = "assertion.repository_id"
  }

  # GitHub signs tokens for all its repositories with the same keys, so without this
  # condition each of them would be let in.
  attribute_condition = "assertion.repository_id == \"${var.repository_id}\" && assertion.ref == \"refs/heads/${var.branch}\""

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

resource "google_service_account" "github" {
  project      = var.project
  account_id   = "aerosink-github"
  display_name = "Aerosink's repository on GitHub: starts builds"
  depends_on   = [google_project_service.federation]
}

resource "google_service_account_iam_member" "github" {
  service_account_id = google_service_account.github.id
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github.name}/attribute.repository_id/${var.repository_id}"
}

# What gcloud builds submit needs: to start a build and wait for it, to run it as the build's
# account, and to upload the sources.

resource "google_project_iam_custom_role" "github" {
  project = var.project
  role_id = "aerosink_github_${google_service_account.github.unique_id}" # the name of a deleted role stays reserved for weeks
  title   = "Aerosink: start builds"
  permissions = [
    "cloudbuild.builds.create",
    "cloudbuild.builds.get",
    "serviceusage.services.use",
  ]
}

resource "google_project_iam_member" "github_builds" {
  project = var.project
  role    = google_project_iam_custom_role.github.id
  member  = google_service_account.github.member
}

resource "google_service_account_iam_member" "github_build" {
  service_account_id = module.aerosink.build_account
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.github.member
}

resource "google_storage_bucket_iam_member" "github_sources" {
  for_each = toset(["roles/storage.legacyBucketReader", "roles/storage.objectCreator"])

  bucket = module.aerosink.build_bucket
  role   = each.key
  member = google_service_account.github.member
}

output "aerosink" {
  description = "All outputs of the module."
  value       = module.aerosink
}

output "github_variables" {
  description = "Variables of the repository, for gh variable set --env-file=-. None is secret."
  value       = <<-EOT
    AEROSINK_PROJECT=${var.project}
    AEROSINK_REGION=${var.region}
    AEROSINK_REPOSITORY=${module.aerosink.repository}
    AEROSINK_BUILD_ACCOUNT=${module.aerosink.build_account}
    AEROSINK_BUILD_BUCKET=${module.aerosink.build_bucket}
    AEROSINK_IDENTITY_PROVIDER=${google_iam_workload_identity_pool_provider.github.name}
    AEROSINK_DEPLOY_ACCOUNT=${google_service_account.github.email}
  EOT
}
