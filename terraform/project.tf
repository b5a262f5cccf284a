# The project: its APIs, its number, and Google's service agents in it.

locals {
  apis = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "compute.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
      "storage.googleapis.com",
    ],
    local.builds == 0 && !local.is_function ? [] : ["cloudbuild.googleapis.com"],
    local.builds == 0 ? [] : ["containeranalysis.googleapis.com"], # stores provenance; a build fails without it
    var.kms_key == null ? [] : ["cloudkms.googleapis.com"],
    local.is_function ? ["cloudfunctions.googleapis.com"] : [],
    var.bigquery == null ? [] : ["bigquery.googleapis.com", "bigquerystorage.googleapis.com"],
  ))
}

resource "google_project_service" "api" {
  for_each = local.apis

  project            = var.project
  service            = each.key
  disable_on_destroy = false
}

# Reading Cloud Storage's service agent creates it, so that a key can be granted to it.
data "google_storage_project_service_account" "this" {
  project = var.project
}

locals {
  labels = merge({ app = var.prefix }, var.labels)

  # The project number. Reading the project itself needs an API that is not yet on in a
  # new project when Terraform plans; Cloud Storage's is.
  project_number = regex("^service-([0-9]+)@", data.google_storage_project_service_account.this.email_address)[0]

  # What holds data or has an identity that others know cannot be deleted or replaced
  # while it is protected.
  deletion_policy = var.deletion_protection ? "PREVENT" : "DELETE"

  # Google's service agents in the project.
  pubsub_agent = "serviceAccount:service-${local.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}
