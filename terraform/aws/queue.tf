# The queue of changes, SQS FIFO with high throughput.

variable "queue" {
  description = <<-EOT
    Queue of changes. Null creates none.
    - `ordering`: number of message groups, up to 4096, by default 256, or 16 with `packed`; a record's changes are all in one. Consumers work on as many groups at once. A packed message has changes of one group, so fewer groups make larger messages.
    - `group`: `shard` (the default), or `queue` for one order of everything, which is one consumer and 300 calls a second.
    - `dedup`: whether a change that is sent again within 5 minutes is dropped by SQS.
    - `data`: what a message holds: `json`, `flat-json`, `message-pack`, `xdr`, `avro` or `as-received`.
    - `packed`: instead, many changes in a message, which costs less: `format` `ndjson` or `avro`, `compression` `zstd`, `gzip` or `none`.
    - `retention_days`: how long the queue keeps messages, 1 to 14.
    - `visibility_seconds`: how long a consumer has for a message before it is delivered again, up to 43200.
    - `attempts`: how often a message is delivered before it goes to a queue of undelivered messages, 1 to 1000. 0 (the default) delivers it until it is deleted: it then holds up its group, but no later change overtakes it.
  EOT
  type = object({
    ordering           = optional(number)
    group              = optional(string, "shard")
    dedup              = optional(bool, true)
    data               = optional(string)
    retention_days     = optional(number, 14)
    visibility_seconds = optional(number, 60)
    attempts           = optional(number, 0)
    packed = optional(object({
      format      = optional(string, "ndjson")
      compression = optional(string, "zstd")
    }))
  })
  default = {}

  validation {
    condition     = var.queue == null ? true : var.queue.ordering == null ? true : var.queue.ordering >= 1 && var.queue.ordering <= 4096 && floor(var.queue.ordering) == var.queue.ordering
    error_message = "queue.ordering must be 1 to 4096."
  }

  validation {
    condition     = var.queue == null ? true : contains(["shard", "queue"], var.queue.group)
    error_message = "queue.group must be shard or queue."
  }

  validation {
    condition     = var.queue == null ? true : var.queue.ordering == null || var.queue.group != "queue"
    error_message = "queue.ordering is for group shard; with queue there is one group."
  }

  validation {
    condition     = var.queue == null ? true : var.queue.data == null ? true : contains(["json", "flat-json", "message-pack", "xdr", "avro", "as-received"], var.queue.data)
    error_message = "queue.data must be json, flat-json, message-pack, xdr, avro or as-received."
  }

  validation {
    condition     = var.queue == null ? true : var.queue.data == null || var.queue.packed == null
    error_message = "queue.data is for messages with one change each; with queue.packed set its format instead."
  }

  validation {
    condition     = var.queue == null ? true : var.queue.packed == null ? true : contains(["ndjson", "avro"], var.queue.packed.format) && contains(["zstd", "gzip", "none"], var.queue.packed.compression)
    error_message = "queue.packed must have a format, ndjson or avro, and a compression, zstd, gzip or none."
  }

  validation {
    condition     = var.queue == null ? true : var.queue.retention_days >= 1 && var.queue.retention_days <= 14
    error_message = "queue.retention_days must be 1 to 14."
  }

  validation {
    condition     = var.queue == null ? true : var.queue.visibility_seconds >= 1 && var.queue.visibility_seconds <= 43200 && floor(var.queue.visibility_seconds) == var.queue.visibility_seconds
    error_message = "queue.visibility_seconds must be 1 to 43200."
  }

  validation {
    condition     = var.queue == null ? true : var.queue.attempts >= 0 && var.queue.attempts <= 1000 && floor(var.queue.attempts) == var.queue.attempts
    error_message = "queue.attempts must be 1 to 1000, or 0 for no queue of undelivered messages."
  }
}

resource "aws_sqs_queue" "changes" {
  count = var.queue == null ? 0 : 1

  region = var.region
  name   = "${var.prefix}-changes.fifo"
  tags   = local.tags

  # High throughput: messages are deduplicated, and calls counted, in each group by itself.
  fifo_queue            = true
  deduplication_scope   = "messageGroup"
  fifo_throughput_limit = "perMessageGroupId"

  max_message_size           = 1048576
  message_retention_seconds  = var.queue.retention_days * 86400
  visibility_timeout_seconds = var.queue.visibility_seconds
  receive_wait_time_seconds  = 20

  sqs_managed_sse_enabled           = var.encryption == null ? true : null
  kms_master_key_id                 = local.kms_key
  kms_data_key_reuse_period_seconds = var.encryption == null ? null : 3600

  redrive_policy = var.queue.attempts == 0 ? null : jsonencode({
    deadLetterTargetArn = "${local.queue_arn_prefix}-undelivered.fifo"
    maxReceiveCount     = var.queue.attempts
  })

  depends_on = [aws_sqs_queue.undelivered]
}

resource "aws_sqs_queue" "undelivered" {
  count = try(var.queue.attempts, 0) == 0 ? 0 : 1

  region = var.region
  name   = "${var.prefix}-undelivered.fifo"
  tags   = local.tags

  fifo_queue                = true
  deduplication_scope       = "messageGroup"
  fifo_throughput_limit     = "perMessageGroupId"
  max_message_size          = 1048576
  message_retention_seconds = 14 * 86400

  sqs_managed_sse_enabled           = var.encryption == null ? true : null
  kms_master_key_id                 = local.kms_key
  kms_data_key_reuse_period_seconds = var.encryption == null ? null : 3600

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["${local.queue_arn_prefix}-changes.fifo"]
  })
}

resource "aws_sqs_queue_policy" "tls" {
  for_each = local.queues

  region    = var.region
  queue_url = each.value.url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyTLS"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = "${local.queue_arn_prefix}-${each.key}.fifo"
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

locals {
  queue_arn_prefix = "arn:${local.partition}:sqs:${var.region}:${var.account}:${var.prefix}"
  queue_arns       = [for q in aws_sqs_queue.changes : "arn:${local.partition}:sqs:${var.region}:${var.account}:${q.name}"]

  # By the name of the queue, without the prefix.
  queues = merge(
    { for q in aws_sqs_queue.changes : "changes" => q },
    { for q in aws_sqs_queue.undelivered : "undelivered" => q },
    { for q in aws_sqs_queue.dead_letters : "dead-letters" => q },
  )

  queue_parameters = var.queue == null ? {} : {
    ordering    = var.queue.group == "queue" ? null : coalesce(var.queue.ordering, var.queue.packed == null ? 256 : 16)
    group       = var.queue.group == "shard" ? null : var.queue.group
    dedup       = var.queue.dedup ? null : "off"
    data        = var.queue.data
    mode        = var.queue.packed == null ? null : "packed"
    packed      = var.queue.packed == null ? null : var.queue.packed.format
    compression = var.queue.packed == null ? null : var.queue.packed.compression
  }

  queue_sinks = [for q in aws_sqs_queue.changes : "sqs://${var.region}/${var.account}/${q.name}?${join("&", [for name, value in local.queue_parameters : "${name}=${value}" if value != null])}"]
}
