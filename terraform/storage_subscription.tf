# A subscription that Pub/Sub itself writes to a bucket: messages as files. The archive is
# different: its files hold changes, and a repeated change is stored once.

variable "storage_subscription" {
  description = <<-EOT
    Cloud Storage subscription of the topic of changes. Null creates none.
    - `format`: `avro`, with each message's attributes, ordering key and time, or `text`, the data of messages as lines.
    - `filter`: filter on attributes, such as `attributes.set = "orders"`. It cannot be changed in place: Terraform recreates the subscription, and its backlog is lost; first apply with `deletion_protection = false`.
    - `max_seconds`, `max_bytes`, `max_messages`: when a file is closed: after 60 to 600 seconds, 1,000 bytes to 10 GiB, or 1,000 messages or more.
    - `expire_days`: days after which files are deleted; never by default.
    - `soft_delete_days`: days for which deleted files can be restored and are billed, 7 to 90; 0 turns it off.
  EOT
  type = object({
    format           = optional(string, "avro")
    filter           = optional(string, "")
    max_seconds      = optional(number, 300)
    max_bytes        = optional(number, 268435456)
    max_messages     = optional(number, 100000)
    expire_days      = optional(number)
    soft_delete_days = optional(number, 7)
  })
  default = null

  validation {
    condition     = var.storage_subscription == null ? true : contains(["avro", "text"], var.storage_subscription.format)
    error_message = "storage_subscription.format must be avro or text."
  }

  validation {
    condition     = var.storage_subscription == null ? true : var.storage_subscription.format != "text" || (var.changes.packed == null && contains(["json", "flat-json"], coalesce(var.changes.data, "json")))
    error_message = "storage_subscription.format text needs messages that are lines: changes.data json or flat-json, not packed. Use avro for others."
  }

  validation {
    condition     = var.storage_subscription == null ? true : length(var.storage_subscription.filter) <= 256
    error_message = "storage_subscription.filter must have at most 256 characters, Pub/Sub's limit."
  }

  validation {
    condition     = var.storage_subscription == null ? true : var.storage_subscription.max_seconds >= 60 && var.storage_subscription.max_seconds <= 600
    error_message = "storage_subscription.max_seconds must be 60 to 600."
  }

  validation {
    condition     = var.storage_subscription == null ? true : var.storage_subscription.max_bytes >= 1000 && var.storage_subscription.max_bytes <= 10737418240
    error_message = "storage_subscription.max_bytes must be 1000 to 10737418240."
  }

  validation {
    condition     = var.storage_subscription == null ? true : var.storage_subscription.max_messages >= 1000
    error_message = "storage_subscription.max_messages must be 1000 or more."
  }

  validation {
    condition     = var.storage_subscription == null ? true : var.storage_subscription.expire_days == null ? true : var.storage_subscription.expire_days >= 1 && floor(var.storage_subscription.expire_days) == var.storage_subscription.expire_days
    error_message = "storage_subscription.expire_days must be 1 or more."
  }

  validation {
    condition     = var.storage_subscription == null ? true : var.storage_subscription.soft_delete_days == 0 || (var.storage_subscription.soft_delete_days >= 7 && var.storage_subscription.soft_delete_days <= 90)
    error_message = "storage_subscription.soft_delete_days must be 7 to 90, or 0."
  }
}

resource "google_service_account" "storage_writer" {
  count = var.storage_subscription == null ? 0 : 1

  project         = var.project
  account_id      = "${var.prefix}-storage"
  display_name    = "Aerosink's Cloud Storage subscription: writes messages to a bucket"
  deletion_policy = local.deletion_policy
  depends_on      = [google_project_service.api]
}

# Pub/Sub writes as this account. The user who runs terraform apply needs
# roles/iam.serviceAccountUser on it to create the subscription.
resource "google_service_account_iam_member" "storage_writer_agent" {
  count = length(google_service_account.storage_writer)

  service_account_id = google_service_account.storage_writer[0].id
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
  depends_on         = [google_pubsub_topic.changes] # the first topic of a project creates Pub/Sub's service agent

  # Pub/Sub checks the grant at once; see keys.tf for the pause.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue
  }
}

resource "google_storage_bucket" "messages" {
  count = length(google_service_account.storage_writer)

  project                     = var.project
  name                        = "${var.project}-${var.prefix}-messages"
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection
  deletion_policy             = local.deletion_policy

  soft_delete_policy {
    retention_duration_seconds = var.storage_subscription.soft_delete_days * 86400
  }

  dynamic "lifecycle_rule" {
    for_each = var.storage_subscription.expire_days[*]

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

# The second role is for storage.buckets.get, which Pub/Sub needs in addition.
resource "google_storage_bucket_iam_member" "messages_writer" {
  for_each = var.storage_subscription == null ? [] : toset(["roles/storage.objectCreator", "roles/storage.legacyBucketReader"])

  bucket = google_storage_bucket.messages[0].id
  role   = each.key
  member = google_service_account.storage_writer[0].member

  # Pub/Sub checks the grant at once; see keys.tf for the pause.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue
  }
}

resource "google_pubsub_subscription" "storage" {
  count = length(google_service_account.storage_writer)

  project                    = var.project
  name                       = "${var.prefix}-storage"
  topic                      = google_pubsub_topic.changes.id
  labels                     = local.labels
  filter                     = var.storage_subscription.filter
  ack_deadline_seconds       = 600 # max_duration must be within it
  message_retention_duration = "2678400s"
  deletion_policy            = local.deletion_policy

  cloud_storage_config {
    bucket                   = google_storage_bucket.messages[0].name
    filename_prefix          = "changes/"
    filename_suffix          = var.storage_subscription.format == "avro" ? ".avro" : ".ndjson"
    filename_datetime_format = "YYYY/MM/DD/hh_mm_ssZ"
    max_duration             = "${var.storage_subscription.max_seconds}s"
    max_bytes                = var.storage_subscription.max_bytes
    max_messages             = var.storage_subscription.max_messages
    service_account_email    = google_service_account.storage_writer[0].email

    # Without metadata a file would not say which record a message belongs to.
    dynamic "avro_config" {
      for_each = var.storage_subscription.format == "avro" ? [true] : []

      content {
        write_metadata = avro_config.value
      }
    }
  }

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # The maximum, about 15 hours of attempts: a failure is more likely the bucket's than a
  # message's, and can be fixed in that time.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.undelivered.id
    max_delivery_attempts = 100
  }

  depends_on = [google_storage_bucket_iam_member.messages_writer, google_service_account_iam_member.storage_writer_agent]
}

resource "google_pubsub_subscription_iam_member" "storage_agent" {
  count = length(google_pubsub_subscription.storage)

  project      = var.project
  subscription = google_pubsub_subscription.storage[0].id
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
