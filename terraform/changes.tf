# Changes as messages: the topic, what a message holds, who publishes.

variable "changes" {
  description = <<-EOT
    Topic of changes, and who reads it.
    - `ordering`: shards of ordering keys, up to 4096, each good for 1 MB/s. 0 publishes without, and a subscriber may get the versions of a record in any order.
    - `data`: what a message holds, a change as `json` (the default), `flat-json`, `message-pack`, `xdr`, `avro` or `as-received`.
    - `packed`: instead, all changes of a request in one message, for less money: `format` `ndjson` or `avro`, `compression` `zstd`, `gzip` or `none`.
    - `retention_days`: how long the topic keeps messages, so that a subscription can go back in time, up to 31; 0 leaves that to subscriptions. A day of 1,000,000,000 changes of 1 KiB is about US$ 9.
    - `regions`: where messages may be stored; the region, unless it says others. With `enforce_in_transit` they are taken and given there alone, too.
    - `schema`: what messages are held against, `definition` with `type` `AVRO` or `PROTOCOL_BUFFER` and `encoding` `BINARY` or `JSON`. Of `data` `avro` it is function/sink/row/schema.avsc.
    - `subscriptions`: readers that pull, by name; push subscriptions stand beside this, on the output `topic`. `filter` and `ordering` cannot be changed: Terraform makes the subscription anew, without what waited in it.
        - `filter`: of attributes, such as `attributes.set = "orders"`. The rest is never delivered, and billed.
        - `subscribers`: accounts that may read, such as `serviceAccount:NAME@PROJECT.iam.gserviceaccount.com`.
        - `ordering`: whether messages of one key come in order; by default where they have keys.
        - `exactly_once`: no message twice, as long as it is acknowledged in time; one that was published twice is two.
        - `ack_deadline`: seconds that a subscriber has for a message, 10 to 600.
        - `retention_days`: how long it waits for one, 1 to 31.
        - `backoff_seconds`: least and most pause before it comes again, 0 to 600.
        - `attempts`: how often it comes before it goes to the topic of undelivered messages, 5 to 100; 0 is for ever, and holds up all of its ordering key.
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
    error_message = "changes.ordering is a number of shards from 0 to 4096."
  }

  validation {
    condition     = var.changes.data == null ? true : contains(["json", "flat-json", "message-pack", "xdr", "avro", "as-received"], var.changes.data)
    error_message = "changes.data is one of json, flat-json, message-pack, xdr, avro and as-received."
  }

  validation {
    condition     = var.changes.data == null || var.changes.packed == null
    error_message = "changes.data is of messages with one change each; what changes.packed holds is its format."
  }

  validation {
    condition     = var.changes.packed == null ? true : contains(["ndjson", "avro"], var.changes.packed.format) && contains(["zstd", "gzip", "none"], var.changes.packed.compression)
    error_message = "changes.packed has a format, ndjson or avro, and a compression, zstd, gzip or none."
  }

  validation {
    condition     = var.changes.retention_days >= 0 && var.changes.retention_days <= 31 && floor(var.changes.retention_days) == var.changes.retention_days
    error_message = "changes.retention_days is a number of days from 0 to 31."
  }

  validation {
    condition     = var.changes.regions == null ? true : length(var.changes.regions) > 0 && alltrue([for r in var.changes.regions : can(regex("^[a-z]+-[a-z]+[0-9]+$", r))])
    error_message = "changes.regions are regions like europe-west1, one at least; without the list it is the region."
  }

  validation {
    condition     = var.changes.enforce_in_transit && var.changes.regions != null ? contains(var.changes.regions, var.region) : true
    error_message = "changes.enforce_in_transit has Pub/Sub refuse what the function publishes in its own region; add that to changes.regions."
  }

  validation {
    condition     = var.changes.schema == null ? true : contains(["AVRO/BINARY", "AVRO/JSON", "PROTOCOL_BUFFER/BINARY", "PROTOCOL_BUFFER/JSON"], "${var.changes.schema.type}/${var.changes.schema.encoding}")
    error_message = "changes.schema has a type, AVRO or PROTOCOL_BUFFER, and an encoding, BINARY or JSON."
  }

  # Pub/Sub would refuse every request, and the database keep every change.
  validation {
    condition = var.changes.schema == null || var.changes.data == "as-received" ? true : var.changes.packed == null && (
      var.changes.schema.encoding == "JSON" ? contains(["json", "flat-json"], coalesce(var.changes.data, "json")) : var.changes.schema.type == "AVRO" && var.changes.data == "avro"
    )
    error_message = "changes.schema has to fit changes.data: encoding JSON goes with json and flat-json, AVRO in BINARY with avro, any with as-received, none with packed."
  }

  validation {
    condition     = alltrue([for name, s in var.changes.subscriptions : can(regex("^[a-z][a-z0-9-]{1,60}$", name)) && !contains(["undelivered", "storage", "bigquery"], name)])
    error_message = "changes.subscriptions have names of small letters, digits and hyphens; undelivered, storage and bigquery are taken."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : length(s.filter) <= 256])
    error_message = "changes.subscriptions[…].filter is longer than 256 characters, which is all that Pub/Sub takes."
  }

  validation {
    condition     = alltrue([for m in flatten([for s in var.changes.subscriptions : s.subscribers]) : can(regex("^(user|group|domain|serviceAccount|principal|principalSet):.+", m))])
    error_message = "changes.subscriptions[…].subscribers are accounts like serviceAccount:NAME@PROJECT.iam.gserviceaccount.com or group:NAME@DOMAIN; changes are for nobody else."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : s.ordering != true || var.changes.ordering > 0])
    error_message = "changes.subscriptions[…].ordering needs messages with ordering keys: changes.ordering above 0."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : s.ack_deadline >= 10 && s.ack_deadline <= 600])
    error_message = "changes.subscriptions[…].ack_deadline is a number of seconds from 10 to 600."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : s.retention_days >= 1 && s.retention_days <= 31 && floor(s.retention_days) == s.retention_days])
    error_message = "changes.subscriptions[…].retention_days is a number of days from 1 to 31."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : s.attempts == 0 || (s.attempts >= 5 && s.attempts <= 100)])
    error_message = "changes.subscriptions[…].attempts is a number from 5 to 100, or 0."
  }

  validation {
    condition     = alltrue([for s in var.changes.subscriptions : s.backoff_seconds.least >= 0 && s.backoff_seconds.least <= s.backoff_seconds.most && s.backoff_seconds.most <= 600])
    error_message = "changes.subscriptions[…].backoff_seconds has least and most between 0 and 600, least no more than most."
  }
}

resource "google_pubsub_schema" "changes" {
  count = var.changes.schema == null ? 0 : 1

  project    = var.project
  name       = "${var.prefix}-changes-${lower(var.changes.schema.type)}" # no schema becomes one of another type
  type       = var.changes.schema.type
  definition = var.changes.schema.definition
  depends_on = [google_project_service.api]

  # A schema that is not wanted any more goes when the topic has let go of it: a topic
  # whose schema is gone takes nothing.
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

  # Google's choice would be any region of the world.
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

# Only when there are subscriptions: a message before is nobody's.
resource "google_pubsub_topic_iam_member" "changes_ingest" {
  project    = var.project
  topic      = google_pubsub_topic.changes.name
  role       = "roles/pubsub.publisher"
  member     = google_service_account.ingest.member
  depends_on = [google_pubsub_subscription.changes, google_pubsub_subscription.storage]
}

locals {
  message_regions = coalesce(var.changes.regions, [var.region])

  # The endpoint of the region: order holds among what is published within one, and
  # what must not leave a region has to be published there.
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
