# What holds for every bucket: it is private, encrypted, reached over TLS only, and no file
# in it is ever overwritten.

locals {
  buckets = merge(
    { for b in aws_s3_bucket.archive : "archive" => merge(b, { days = var.archive.restore_days, expire = var.archive.expire_days, transitions = var.archive.transitions }) },
    { for b in aws_s3_bucket.dead_letters : "dead-letters" => merge(b, { days = var.dead_letters.restore_days, expire = var.dead_letters.expire_days, transitions = {} }) },
  )
}

resource "aws_s3_bucket_public_access_block" "all" {
  for_each = local.buckets

  region                  = var.region
  bucket                  = each.value.bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "all" {
  for_each = local.buckets

  region = var.region
  bucket = each.value.bucket

  rule {
    bucket_key_enabled = var.encryption != null # one call of KMS for many files

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.encryption == null ? "AES256" : "aws:kms"
      kms_master_key_id = local.kms_key
    }
  }
}

# Deleted files stay as versions for some days. The function never makes a second version
# of one.
resource "aws_s3_bucket_versioning" "all" {
  for_each = { for name, b in local.buckets : name => b if b.days > 0 }

  region = var.region
  bucket = each.value.bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "all" {
  for_each = local.buckets

  region = var.region
  bucket = each.value.bucket

  # Unfinished uploads are invisible, but billed.
  rule {
    id     = "unfinished"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = each.value.days > 0 ? [each.value.days] : []

    content {
      id     = "restore"
      status = "Enabled"

      filter {}

      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }

      # What is left of a file once its last version is gone.
      expiration {
        expired_object_delete_marker = true
      }
    }
  }

  dynamic "rule" {
    for_each = each.value.expire[*]

    content {
      id     = "expire"
      status = "Enabled"

      filter {}

      expiration {
        days = rule.value
      }
    }
  }

  dynamic "rule" {
    for_each = length(each.value.transitions) > 0 ? [each.value.transitions] : []

    content {
      id     = "transitions"
      status = "Enabled"

      filter {}

      dynamic "transition" {
        for_each = rule.value

        content {
          storage_class = transition.key
          days          = transition.value
        }
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.all]
}

resource "aws_s3_bucket_policy" "all" {
  for_each = local.buckets

  region = var.region
  bucket = each.value.bucket

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OnlyTLS"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [for suffix in ["", "/*"] : "arn:${local.partition}:s3:::${var.prefix}-${each.key}-${local.bucket_suffix}${suffix}"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      # Without If-None-Match a write could replace a file. The start and the parts of a
      # multipart upload cannot have it; its end must.
      {
        Sid       = "OnlyNewFiles"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = "arn:${local.partition}:s3:::${var.prefix}-${each.key}-${local.bucket_suffix}/*"
        Condition = {
          Null = { "s3:if-none-match" = "true" }
          Bool = { "s3:ObjectCreationOperation" = "true" }
        }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.all]
}
