# The topic of changes: the format of messages, and the grant to publish.

variable "changes" {
  description = <<-EOT
    Topic of changes and its subscriptions.
    - `ordering`: number of shards of ordering keys, up to 4096, each good for 1 MB/s. 0 publishes without keys; a subscriber may then get the versions of a record in any order.
    - `data`: format of a message: `json` (the default), `flat-json`, `message-pack`, `xdr`, `avro` or `as-received`.
    - `packed`: instead, all changes of a request in one message, which costs less: `format` `ndjson` or `avro`, `compression` `zstd`, `gzip` or `none`.
    - `retention_days`: how long the topic keeps messages, up to 31, so that subscriptions can seek back; 0 leaves that to subscriptions. A day of a billion changes of 1 KiB costs about US$ 9.
    - `regions`: where messages may be stored, by default the region. With `enforce_in_transit` they are also accepted and delivered only there.
    - `schema`: schema that messages must match, `definition` with `type` `AVRO` or `PROTOCOL_BUFFER` and `encoding` `BINARY` or `JSON`. For `data` `avro` it is function/sink/row/schema.avsc.
    - `subscriptions`: pull subscriptions, by name; create push subscriptions yourself on the output `topic`. `filter` and `ordering` cannot be changed in place: Terraform recreates the subscription, and its backlog is lost; first apply with `deletion_protection = false`.
        - `filter`: filter on attributes, such as `attributes.set = "orders"`. Other messages are not delivered, but billed.
        - `subscribers`: accounts that may read, such as `serviceAccount:NAME@PROJECT.iam.gserviceaccount.com`.
        - `ordering`: whether messages with the same key are delivered in order; by default if they have keys.
        - `exactly_once`: no message is delivered again after it was acknowledged in time; a change that was published twice is still two messages.
        - `ack_deadline`: seconds that a subscriber has to acknowledge a message, 10 to 600.
        - `retention_days`: how long the subscription keeps messages, 1 to 31.
        - `backoff_seconds`: least and most pause before a message is delivered again, 0 to 600.
        - `attempts`: how often a message is delivered before it goes to the topic of undelivered messages, 5 to 100; 0 retries for ever, and blocks the later messages of its ordering key.
  EOT
  type = object({
    ordering           = optional(number, 256)
    data               = optional(string)
    retention_days     = optional(number, 1)
    regions            = optional(list(string))
    enforce_in_transit = optional(bool, false)
    packed = optional(object({
      format      = optional(string, "ndjson")
      compression = optional(string, "zstd")
    }))
    schema = optional(object({
      definition = string
      type       = optional(string, "AVRO")
      encoding   = optional(string, "BINARY")
    }))
    subscriptions = optional(map(object({
      filter         = optional(string, "")
      subscribers    = optional(list(string), [])
      ordering       = optional(bool)
      exactly_once   = optional(bool, false)
      ack_deadline   = optional(number, 60)
      retention_days = optional(number, 7)
      attempts       = optional(number, 20)
      backoff_seconds = optional(object({
        least = optional(number, 10)
        most  = optional(number, 600)
      }), {})
    })), { changes = {} })
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.changes.ordering >= 0 && var.changes.ordering <= 4096 && floor(var.changes.ordering) == var.changes.ordering
    error_message = "changes.ordering must be 0 to 4096."
  }

  validation {
    condition     = var.changes.data == null ? true : contains(["json", "flat-json", "message-pack", "xdr", "avro", "as-received"], var.changes.data)
    error_message = "changes.data must be json, flat-json, message-pack, xdr, avro or as-received."
  }

  validation {
    condition     = var.changes.data == null || var.changes.packed == null
    error_message = "changes.data is for messages with one change each; with changes.packed set its format instead."
  }

  validation {
    condition     = var.changes.packed == null ? true : contains(["ndjson", "avro"], var.changes.packed.format) && contains(["zstd", "gzip", "none"], var.changes.packed.compression)
    error_message = "changes.packed must have a format, ndjson or avro, and a compression, zstd, gzip or none."
  }

  validation {
    condition     = var.changes.retention_days >= 0 && var.changes.retention_days <= 31 && floor(var.changes.retention_days) == var.changes.retention_days
    error_message = "changes.retention_days must be 0 to 31."
  }

  validation {
    condition     = var.changes.regions == null ? true : length(var.changes.regions) > 0 && alltrue([for r in var.changes.regions : can(regex("^[a-z]+-[a-z]+[0-9]+$", r))])
    error_message = "changes.regions must list at least one region such as europe-west1; leave it out for the region."
  }

  validation {
    condition     = var.changes.enforce_in_transit && var.changes.regions != null ? contains(var.changes.regions, var.region) : true
    error_message = "changes.enforce_in_transit needs the region in changes.regions, or Pub/Sub refuses what the function publishes."
  }

  validation {
    condition     = var.changes.schema == null ? true : contains(["AVRO/BINARY", "AVRO/JSON", "PROTOCOL_BUFFER/BINARY", "PROTOCOL_BUFFER/JSON"], "${var.changes.schema.type}/${var.changes.schema.encoding}")
    error_message = "changes.schema must have a type, AVRO or PROTOCOL_BUFFER, and an encoding, BINARY or JSON."
  }

  # Otherwise Pub/Sub refuses every request, and the database keeps every change.
  validation {
    condition = var.changes.schema == null || var.changes.data == "as-received" ? true : var.changes.packed == null && (
      var.changes.schema.encoding == "JSON" ? contains(["json", "flat-json"], coalesce(var.changes.data, "json")) : var.changes.schema.type == "AVRO" && var.changes.data == "avro"
    )
    error_message = "changes.schema must fit changes.data: encoding JSON for json and flat-json, AVRO in BINARY for avro, any for as-received, none for packed."
  }

  validation {
    condition     = alltrue([for name, s in var.changes.subscriptions : can(regex("^[a-z][a-z0-9-]{1,60}$", name)) && !contains(["undelivered", "storage", "bigquery"], name)])
    error_message = "changes.subscriptions must have names of lower-case letters, digits and hyphens; undelivered, storage and bigquery are reserved."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : length(s.filter) <= 256])
    error_message = "changes.subscriptions[…].filter must have at most 256 characters, Pub/Sub's limit."
  }

  validation {
    condition     = alltrue([for m in flatten([for s in var.changes.subscriptions : s.subscribers]) : can(regex("^(user|group|domain|serviceAccount|principal|principalSet):.+", m))])
    error_message = "changes.subscriptions[…].subscribers must be accounts such as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com or group:NAME@DOMAIN; allUsers and the like are refused."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : s.ordering != true || var.changes.ordering > 0])
    error_message = "changes.subscriptions[…].ordering needs ordering keys; set changes.ordering above 0."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : s.ack_deadline >= 10 && s.ack_deadline <= 600])
    error_message = "changes.subscriptions[…].ack_deadline must be 10 to 600 seconds."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : s.retention_days >= 1 && s.retention_days <= 31 && floor(s.retention_days) == s.retention_days])
    error_message = "changes.subscriptions[…].retention_days must be 1 to 31."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : s.attempts == 0 || (s.attempts >= 5 && s.attempts <= 100)])
    error_message = "changes.subscriptions[…].attempts must be 5 to 100, or 0."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : s.backoff_seconds.least >= 0 && s.backoff_seconds.least <= s.backoff_seconds.most && s.backoff_seconds.most <= 600])
    error_message = "changes.subscriptions[…].backoff_seconds must have least and most between 0 and 600, and least no more than most."
  }
}

resource "google_pubsub_schema" "changes" {
  count = var.changes.schema == null ? 0 : 1

  project    = var.project
  name       = "${var.prefix}-changes-${lower(var.changes.schema.type)}" # the type of a schema cannot be changed
  type       = var.changes.schema.type
  definition = var.changes.schema.definition
  depends_on = [google_project_service.api]

  # A schema that is no longer used is deleted after the topic has dropped it: a topic
  # whose schema is gone accepts nothing.
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_pubsub_topic" "changes" {
  project                    = var.project
  name                       = "${var.prefix}-changes"
  labels                     = local.labels
  kms_key_name               = var.kms_key
  message_retention_duration = var.changes.retention_days == 0 ? null : "${var.changes.retention_days * 86400}s"
  deletion_policy            = local.deletion_policy

  # By default Google may choose any region of the world.
  message_storage_policy {
    allowed_persistence_regions = local.message_regions
    enforce_in_transit          = var.changes.enforce_in_transit
  }

  dynamic "schema_settings" {
    for_each = google_pubsub_schema.changes

    content {
      schema   = schema_settings.value.id
      encoding = var.changes.schema.encoding
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agents]
}

# Only after the subscriptions exist: an earlier message would be lost.
resource "google_pubsub_topic_iam_member" "changes_ingest" {
  project    = var.project
  topic      = google_pubsub_topic.changes.id
  role       = "roles/pubsub.publisher"
  member     = google_service_account.ingest.member
  depends_on = [google_pubsub_subscription.changes, google_pubsub_subscription.storage]
}

locals {
  message_regions = coalesce(var.changes.regions, [var.region])

  # The regional endpoint: order holds within one region, and what must not leave a region
  # has to be published there.
  changes_parameters = {
    ordering    = var.changes.ordering
    data        = var.changes.packed == null ? coalesce(var.changes.data, "json") : null
    mode        = var.changes.packed == null ? null : "packed"
    packed      = var.changes.packed == null ? null : var.changes.packed.format
    compression = var.changes.packed == null ? null : var.changes.packed.compression
    endpoint    = var.changes.ordering > 0 || var.changes.enforce_in_transit ? var.region : null
  }

  changes_sinks = ["pubsub://${var.project}/${google_pubsub_topic.changes.name}?${join("&", [for name, value in local.changes_parameters : "${name}=${value}" if value != null])}"]
}
