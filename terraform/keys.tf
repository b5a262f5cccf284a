# The customer-managed key: Google's own accounts that encrypt and decrypt with it.

locals {
  # Services whose accounts use the key, and the domains that those are in.
  key_users = var.kms_key == null ? {} : merge(
    {
      pubsub  = "gcp-sa-pubsub"
      storage = "gs-project-accounts"
    },
    local.has_metrics ? { secretmanager = "gcp-sa-secretmanager" } : {},
  )
}

# Each is there from the first use of its service on, and the key is granted before.
# No resource of the provider makes one; project.tf has that of Cloud Storage made.
# Where gcloud is missing or may not, the grant says which account is not there.
resource "terraform_data" "key_users" {
  for_each = setsubtract(keys(local.key_users), ["storage"])

  triggers_replace = [var.project]

  provisioner "local-exec" {
    command    = "gcloud beta services identity create --quiet --project=${var.project} --service=${each.key}.googleapis.com"
    on_failure = continue
  }

  depends_on = [google_project_service.api]
}

# What uses the key depends on these: it is refused without.
resource "google_kms_crypto_key_iam_member" "agents" {
  for_each = local.key_users

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${local.project_number}@${each.value}.iam.gserviceaccount.com"
  depends_on    = [google_project_service.api, terraform_data.key_users]

  # New grants hold a little later, and whether they do is asked at once: without the
  # pause a first apply fails, and a second does not.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue # as where there is no sleep
  }
}
