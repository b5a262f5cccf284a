# The stream of changes, Kinesis Data Streams.

variable "stream" {
  description = <<-EOT
    Stream of changes. Null (the default) creates none.
    - `shards`: number of shards, each for 1 MB and 1,000 records a second; null is on demand, where AWS adds and removes them.
    - `ordering`: number of partition keys, up to 4096; a record's changes all have one.
    - `key`: `shard` (the default), or `digest` for the best spread over shards.
    - `data`: what a record holds: `json`, `flat-json`, `message-pack`, `xdr`, `avro` or `as-received`.
    - `envelope`: whether a record is a JSON object with the metadata of the change beside its data.
    - `retention_hours`: how long the stream keeps records, 24 to 8760.
    - `max_record_kib`: size of the largest record, 1024 to 10240 KiB.
  EOT
  type = object({
    shards          = optional(number)
    ordering        = optional(number, 256)
    key             = optional(string, "shard")
    data            = optional(string)
    envelope        = optional(bool, false)
    retention_hours = optional(number, 24)
    max_record_kib  = optional(number, 1024)
  })
  default = null

  validation {
    condition     = var.stream == null ? true : var.stream.shards == null ? true : var.stream.shards >= 1 && floor(var.stream.shards) == var.stream.shards
    error_message = "stream.shards must be 1 or more; leave it out for a stream on demand."
  }

  validation {
    condition     = var.stream == null ? true : var.stream.ordering >= 1 && var.stream.ordering <= 4096 && floor(var.stream.ordering) == var.stream.ordering
    error_message = "stream.ordering must be 1 to 4096."
  }

  validation {
    condition     = var.stream == null ? true : contains(["shard", "digest"], var.stream.key)
    error_message = "stream.key must be shard or digest."
  }

  validation {
    condition     = var.stream == null ? true : var.stream.data == null ? true : contains(["json", "flat-json", "message-pack", "xdr", "avro", "as-received"], var.stream.data)
    error_message = "stream.data must be json, flat-json, message-pack, xdr, avro or as-received."
  }

  validation {
    condition     = var.stream == null ? true : var.stream.retention_hours >= 24 && var.stream.retention_hours <= 8760 && floor(var.stream.retention_hours) == var.stream.retention_hours
    error_message = "stream.retention_hours must be 24 to 8760."
  }

  validation {
    condition     = var.stream == null ? true : var.stream.max_record_kib >= 1024 && var.stream.max_record_kib <= 10240 && floor(var.stream.max_record_kib) == var.stream.max_record_kib
    error_message = "stream.max_record_kib must be 1024 to 10240."
  }
}

resource "aws_kinesis_stream" "changes" {
  count = var.stream == null ? 0 : 1

  region = var.region
  name   = "${var.prefix}-changes"
  tags   = local.tags

  shard_count            = var.stream.shards
  retention_period       = var.stream.retention_hours
  max_record_size_in_kib = var.stream.max_record_kib
  encryption_type        = "KMS"
  kms_key_id             = var.encryption == null ? "alias/aws/kinesis" : local.kms_key

  stream_mode_details {
    stream_mode = var.stream.shards == null ? "ON_DEMAND" : "PROVISIONED"
  }
}

locals {
  stream_arn = "arn:${local.partition}:kinesis:${var.region}:${var.account}:stream/${var.prefix}-changes"

  stream_parameters = var.stream == null ? {} : {
    ordering = var.stream.key == "shard" ? var.stream.ordering : null
    key      = var.stream.key == "shard" ? null : var.stream.key
    data     = var.stream.data
    envelope = var.stream.envelope ? "json" : null
  }

  stream_query = join("&", [for name, value in local.stream_parameters : "${name}=${value}" if value != null])
  stream_sinks = [for s in aws_kinesis_stream.changes : "kinesis://${var.region}/${var.account}/${s.name}?${local.stream_query}"]
}
