# Dead letters: changes that can never be stored.

variable "dead_letters" {
  description = <<-EOT
    Where dead letters are kept: changes that cannot be read, or that a sink refuses for good.
    - `kind`: `bucket` (the default), or `queue`, an SQS FIFO queue. A queue keeps them for 14 days, and none that is larger than 1 MiB with its metadata.
    - `expire_days`: days after which files are deleted; never by default.
    - `restore_days`: days for which deleted files can be restored and are billed; 0 turns it off.
  EOT
  type = object({
    kind         = optional(string, "bucket")
    expire_days  = optional(number)
    restore_days = optional(number, 7)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["bucket", "queue"], var.dead_letters.kind)
    error_message = "dead_letters.kind must be bucket or queue."
  }

  validation {
    condition     = var.dead_letters.expire_days == null ? true : var.dead_letters.expire_days >= 1 && floor(var.dead_letters.expire_days) == var.dead_letters.expire_days
    error_message = "dead_letters.expire_days must be 1 or more."
  }

  validation {
    condition     = var.dead_letters.restore_days >= 0 && floor(var.dead_letters.restore_days) == var.dead_letters.restore_days
    error_message = "dead_letters.restore_days must be 0 or more."
  }
}

resource "aws_s3_bucket" "dead_letters" {
  count = var.dead_letters.kind == "bucket" ? 1 : 0

  region        = var.region
  bucket        = "${var.prefix}-dead-letters-${local.bucket_suffix}"
  force_destroy = var.force_destroy
  tags          = local.tags
}

resource "aws_sqs_queue" "dead_letters" {
  count = var.dead_letters.kind == "queue" ? 1 : 0

  region = var.region
  name   = "${var.prefix}-dead-letters.fifo"
  tags   = local.tags

  fifo_queue                = true
  deduplication_scope       = "messageGroup"
  fifo_throughput_limit     = "perMessageGroupId"
  max_message_size          = 1048576
  message_retention_seconds = 14 * 86400

  sqs_managed_sse_enabled           = var.encryption == null ? true : null
  kms_master_key_id                 = local.kms_key
  kms_data_key_reuse_period_seconds = var.encryption == null ? null : 3600
}

locals {
  dead_letters = one(concat(
    [for b in aws_s3_bucket.dead_letters : "s3://${b.bucket}/letters?region=${var.region}"],
    [for q in aws_sqs_queue.dead_letters : "sqs://${var.region}/${var.account}/${q.name}"],
  ))

  dead_letter_objects = [for b in aws_s3_bucket.dead_letters : "arn:${local.partition}:s3:::${b.bucket}/letters/*"]
}
