# The archive: changes as files in a bucket.

variable "archive" {
  description = <<-EOT
    Bucket that the function writes changes to, as files. Null (the default) creates none: an environment of Lambda has one request at a time, so each request is at least one file, and files are billed by number.
    - `format`, `compression`: `ndjson` with `none`, `gzip` (the default) or `zstd`; `avro` with `none`, `deflate`, `snappy` (its default) or `zstd`; `parquet` with `none`, `snappy`, `gzip` or `zstd` (its default).
    - `prefix`: folder of all files; `path`: template of the folders below it, by default `namespace={namespace}/set={set}/dt={date}/hour={hour}`.
    - `transitions`: days after which files move to another storage class, such as `{ STANDARD_IA = 30, DEEP_ARCHIVE = 365 }`.
    - `expire_days`: days after which files are deleted; never by default.
    - `restore_days`: days for which deleted files can be restored and are billed; 0 turns it off.
  EOT
  type = object({
    format       = optional(string, "ndjson")
    compression  = optional(string)
    prefix       = optional(string, "changes")
    path         = optional(string)
    transitions  = optional(map(number), {})
    expire_days  = optional(number)
    restore_days = optional(number, 7)
  })
  default = null

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
    condition     = var.archive == null ? true : alltrue([for class, days in var.archive.transitions : contains(["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], class) && days >= (endswith(class, "_IA") ? 30 : 0) && floor(days) == days])
    error_message = "archive.transitions must be numbers of days by storage class, STANDARD_IA, ONEZONE_IA (both from 30 days), INTELLIGENT_TIERING, GLACIER_IR, GLACIER or DEEP_ARCHIVE: { STANDARD_IA = 30 }."
  }

  validation {
    condition     = var.archive == null ? true : var.archive.expire_days == null ? true : floor(var.archive.expire_days) == var.archive.expire_days && var.archive.expire_days > max(0, values(var.archive.transitions)...)
    error_message = "archive.expire_days must be 1 or more, and later than archive.transitions."
  }

  validation {
    condition     = var.archive == null ? true : var.archive.restore_days >= 0 && floor(var.archive.restore_days) == var.archive.restore_days
    error_message = "archive.restore_days must be 0 or more."
  }
}

resource "aws_s3_bucket" "archive" {
  count = var.archive == null ? 0 : 1

  region        = var.region
  bucket        = "${var.prefix}-archive-${local.bucket_suffix}"
  force_destroy = var.force_destroy
  tags          = local.tags
}

locals {
  archive_parameters = var.archive == null ? {} : {
    region      = var.region
    format      = var.archive.format
    compression = var.archive.format == "ndjson" ? coalesce(var.archive.compression, "gzip") : var.archive.compression
    path        = var.archive.path == null ? null : urlencode(var.archive.path)
  }

  archive_sinks   = [for b in aws_s3_bucket.archive : "s3://${b.bucket}/${var.archive.prefix}?${join("&", [for name, value in local.archive_parameters : "${name}=${value}" if value != null])}"]
  archive_objects = [for b in aws_s3_bucket.archive : "arn:${local.partition}:s3:::${b.bucket}/${var.archive.prefix}/*"]
}
