# The project: what has to be switched on in it, and what it is called by Google.

locals {
  apis = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "compute.googleapis.com",
      "containeranalysis.googleapis.com", # keeps provenance, without which a build fails
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
      "storage.googleapis.com",
    ],
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

# Asking for Cloud Storage's account makes it, too, so that a key can be granted to it.
data "google_storage_project_service_account" "this" {
  project = var.project
}

locals {
  labels = merge({ app = var.prefix }, var.labels)

  # The number of the project. To ask for the project itself takes an API that a new
  # project has not switched on yet when Terraform plans; Cloud Storage's it has.
  project_number = regex("^service-([0-9]+)@", data.google_storage_project_service_account.this.email_address)[0]

  # Google's own accounts in the project, that grants go to.
  pubsub_agent = "serviceAccount:service-${local.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}
