# The archive: changes as files in a bucket that the function writes to.

variable "archive" {
  description = <<-EOT
    Bucket that the function writes changes to, as files. Null creates none.
    - `format`, `compression`: `ndjson` with `none`, `gzip` (the default) or `zstd`; `avro` with `none`, `deflate`, `snappy` (its default) or `zstd`; `parquet` with `none`, `snappy`, `gzip` or `zstd` (its default).
    - `prefix`: folder of all files; `path`: template of the folders below it, by default `namespace={namespace}/set={set}/dt={date}/hour={hour}`.
    - `linger_ms`: how long a file waits for more changes, up to 4000; by default 250. Longer means fewer files, which are billed by number, and later responses.
    - `location`: the region by default; another region, or `EU`, `US`, `ASIA`, `EUR4` ….
    - `storage_class`: of new files, `STANDARD`, `NEARLINE`, `COLDLINE` or `ARCHIVE`.
    - `transitions`: days after which files move to a colder class, such as `{ NEARLINE = 30, ARCHIVE = 365 }`.
    - `autoclass`: instead, Google moves files by how often they are read, down to `NEARLINE` or `ARCHIVE`.
    - `expire_days`: days after which files are deleted; never by default.
    - `retention`: `days` for which nobody can delete or overwrite a file; the function never does. `locked` makes it permanent: nobody, not even Google, can shorten it or delete the bucket earlier.
    - `soft_delete_days`: days for which deleted files can be restored and are billed, 7 to 90; 0 turns it off.
  EOT
  type = object({
    format           = optional(string, "ndjson")
    compression      = optional(string)
    prefix           = optional(string, "changes")
    path             = optional(string)
    linger_ms        = optional(number)
    location         = optional(string)
    storage_class    = optional(string, "STANDARD")
    transitions      = optional(map(number), {})
    autoclass        = optional(string)
    expire_days      = optional(number)
    soft_delete_days = optional(number, 7)
    retention = optional(object({
      days   = number
      locked = optional(bool, false)
    }))
  })
  default = {}

  validation {
    condition     = var.archive == null ? true : contains(["ndjson", "avro", "parquet"], var.archive.format)
    error_message = "archive.format must be ndjson, avro or parquet."
  }

  validation {
    condition = var.archive == null ? true : var.archive.compression == null ? true : contains(lookup({
      ndjson = ["none", "gzip", "zstd"], avro = ["none", "deflate", "snappy", "zstd"], parquet = ["none", "snappy", "gzip", "zstd"]
    }, var.archive.format, []), var.archive.compression)
    error_message = "archive.compression must fit the format: ndjson with none, gzip or zstd; avro with none, deflate, snappy or zstd; parquet with none, snappy, gzip or zstd."
  }

  validation {
    condition     = var.archive == null ? true : can(regex("^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$", var.archive.prefix)) && length(var.archive.prefix) <= 100
    error_message = "archive.prefix must be a folder such as changes or team/changes: up to 100 letters, digits, dots, hyphens and underscores, without a slash at either end."
  }

  validation {
    condition = var.archive == null ? true : var.archive.path == null ? true : length(var.archive.path) <= 120 && alltrue([
      for part in split("/", var.archive.path) : !contains(["", ".", ".."], part) && can(regex("^([A-Za-z0-9._=~-]|\\{(namespace|set|date|hour|minute|op|partition|shard:[1-9][0-9]{0,2})\\})+$", part))
    ])
    error_message = "archive.path must be folders such as set={set}/dt={date}, up to 120 characters. The fields are {namespace}, {set}, {date}, {hour}, {minute}, {op}, {partition} and, up to {shard:999}, {shard:N}; between them may be letters, digits and any of -_.=~."
  }

  validation {
    condition     = var.archive == null ? true : var.archive.linger_ms == null ? true : var.archive.linger_ms >= 0 && var.archive.linger_ms <= 4000 && floor(var.archive.linger_ms) == var.archive.linger_ms
    error_message = "archive.linger_ms must be 0 to 4000 milliseconds, because the database waits for the response."
  }

  validation {
    condition     = var.archive == null ? true : var.archive.location == null ? true : can(regex("^([a-z]+-[a-z]+[0-9]+|[A-Z]+[0-9]?)$", var.archive.location))
    error_message = "archive.location must be a region such as europe-west1, or a multi-region or dual-region such as EU or EUR4."
  }

  validation {
    condition     = var.archive == null || var.kms_key == null ? true : coalesce(var.archive.location, var.region) == var.region
    error_message = "archive.location must be the location of kms_key, because a bucket can only use keys of its own location; leave it out."
  }

  validation {
    condition     = var.archive == null ? true : alltrue([for class in concat([var.archive.storage_class], keys(var.archive.transitions)) : contains(["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"], class)])
    error_message = "archive.storage_class and the names in archive.transitions must be STANDARD, NEARLINE, COLDLINE or ARCHIVE."
  }

  validation {
    condition     = var.archive == null ? true : alltrue([for days in values(var.archive.transitions) : days >= 1 && floor(days) == days])
    error_message = "archive.transitions must be numbers of days, 1 or more: { NEARLINE = 30 }."
  }

  validation {
    condition     = var.archive == null ? true : var.archive.autoclass == null ? true : contains(["NEARLINE", "ARCHIVE"], var.archive.autoclass) && length(var.archive.transitions) == 0 && var.archive.storage_class == "STANDARD"
    error_message = "archive.autoclass must be NEARLINE or ARCHIVE, the coldest class for files. It cannot be used with archive.transitions, or with a storage_class other than STANDARD."
  }

  validation {
    condition     = var.archive == null ? true : var.archive.retention == null ? true : var.archive.retention.days >= 1 && var.archive.retention.days <= 36500 && floor(var.archive.retention.days) == var.archive.retention.days
    error_message = "archive.retention.days must be 1 to 36500."
  }

  validation {
    condition     = var.archive == null ? true : var.archive.expire_days == null ? true : var.archive.expire_days >= 1 && floor(var.archive.expire_days) == var.archive.expire_days && var.archive.expire_days >= try(var.archive.retention.days, 0)
    error_message = "archive.expire_days must be 1 or more, and at least archive.retention.days."
  }

  validation {
    condition     = var.archive == null ? true : var.archive.soft_delete_days == 0 || (var.archive.soft_delete_days >= 7 && var.archive.soft_delete_days <= 90)
    error_message = "archive.soft_delete_days must be 7 to 90, or 0."
  }
}

resource "google_storage_bucket" "archive" {
  count = var.archive == null ? 0 : 1

  project                     = var.project
  name                        = "${var.project}-${var.prefix}-archive"
  location                    = coalesce(var.archive.location, var.region)
  labels                      = local.labels
  storage_class               = var.archive.storage_class
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection
  deletion_policy             = local.deletion_policy

  soft_delete_policy {
    retention_duration_seconds = var.archive.soft_delete_days * 86400
  }

  # Unfinished uploads are invisible, but billed.
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.archive.transitions

    content {
      action {
        type          = "SetStorageClass"
        storage_class = lifecycle_rule.key
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.archive.expire_days[*]

    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  dynamic "autoclass" {
    for_each = var.archive.autoclass[*]

    content {
      enabled                = true
      terminal_storage_class = autoclass.value
    }
  }

  dynamic "retention_policy" {
    for_each = var.archive.retention[*]

    content {
      retention_period = retention_policy.value.days * 86400
      is_locked        = retention_policy.value.locked
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

resource "google_storage_bucket_iam_member" "archive_ingest" {
  count = length(google_storage_bucket.archive)

  bucket = google_storage_bucket.archive[0].id
  role   = "roles/storage.objectCreator"
  member = google_service_account.ingest.member
}

locals {
  archive_parameters = var.archive == null ? {} : {
    format      = var.archive.format
    compression = var.archive.format == "ndjson" ? coalesce(var.archive.compression, "gzip") : var.archive.compression
    path        = var.archive.path == null ? null : urlencode(var.archive.path)
    linger      = var.archive.linger_ms == null ? null : "${var.archive.linger_ms}ms"
  }

  archive_sinks = [for bucket in google_storage_bucket.archive : "gs://${bucket.name}/${var.archive.prefix}?${join("&", [for name, value in local.archive_parameters : "${name}=${value}" if value != null])}"]
}
