# Grants on the customer-managed key for Google's service agents.

locals {
  # Services whose agents use the key, and the agents' domains.
  key_users = var.kms_key == null ? {} : merge(
    {
      artifactregistry = "gcp-sa-artifactregistry"
      pubsub           = "gcp-sa-pubsub"
      run              = "serverless-robot-prod"
      storage          = "gs-project-accounts"
    },
    var.connector == null ? {} : { compute = "compute-system" },
    local.is_function ? { cloudfunctions = "gcf-admin-robot" } : {},
    local.has_metrics ? { secretmanager = "gcp-sa-secretmanager" } : {},
  )
}

# A service agent exists from the first use of its service on, but the grant comes before.
# The google provider has no resource that creates one; project.tf creates that of Cloud
# Storage, and Compute Engine's API its own. If gcloud is missing or forbidden, the grant
# names the missing account.
resource "terraform_data" "key_users" {
  for_each = setsubtract(keys(local.key_users), ["compute", "storage"])

  triggers_replace = [var.project]

  provisioner "local-exec" {
    command    = "gcloud beta services identity create --quiet --project=${var.project} --service=${each.key}.googleapis.com"
    on_failure = continue
  }

  depends_on = [google_project_service.api]
}

# Whatever uses the key depends on these grants.
resource "google_kms_crypto_key_iam_member" "agents" {
  for_each = local.key_users

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${local.project_number}@${each.value}.iam.gserviceaccount.com"
  depends_on    = [google_project_service.api, terraform_data.key_users]

  # A new grant takes effect a little later, but is checked at once: without the pause a
  # first apply fails and a second succeeds.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue # there may be no sleep command
  }
}
