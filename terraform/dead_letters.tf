# The bucket of dead letters: changes that can never be stored.

variable "dead_letters" {
  description = <<-EOT
    Bucket of dead letters: changes that cannot be read, or that a sink refuses for good.
    - `expire_days`: days after which they are deleted; never by default.
    - `soft_delete_days`: days for which deleted files can be restored and are billed, 7 to 90; 0 turns it off.
  EOT
  type = object({
    expire_days      = optional(number)
    soft_delete_days = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.dead_letters.expire_days == null ? true : var.dead_letters.expire_days >= 1 && floor(var.dead_letters.expire_days) == var.dead_letters.expire_days
    error_message = "dead_letters.expire_days must be 1 or more."
  }

  validation {
    condition     = var.dead_letters.soft_delete_days == 0 || (var.dead_letters.soft_delete_days >= 7 && var.dead_letters.soft_delete_days <= 90)
    error_message = "dead_letters.soft_delete_days must be 7 to 90, or 0."
  }
}

resource "google_storage_bucket" "dead_letters" {
  project                     = var.project
  name                        = "${var.project}-${var.prefix}-dead-letters"
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection
  deletion_policy             = local.deletion_policy

  soft_delete_policy {
    retention_duration_seconds = var.dead_letters.soft_delete_days * 86400
  }

  dynamic "lifecycle_rule" {
    for_each = var.dead_letters.expire_days[*]

    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]

    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agents]
}

resource "google_storage_bucket_iam_member" "dead_letters_ingest" {
  bucket = google_storage_bucket.dead_letters.id
  role   = "roles/storage.objectCreator"
  member = google_service_account.ingest.member
}

locals {
  dead_letters = "gs://${google_storage_bucket.dead_letters.name}/letters"
}
