# A customer-managed key, for those who need one.

variable "encryption" {
  description = <<-EOT
    Customer-managed KMS key for everything that is stored: queues, streams, buckets, logs, the secret and the function's environment. Null (the default) uses AWS's own keys, which cost nothing.
    - `key`: ARN of an existing key. Its policy must let the account's policies decide, and CloudWatch Logs use it; BY-HAND.md has that statement. By default a key is created.
    - `administrators`: ARNs of roles or users that manage the created key, but cannot use it; the deployer has to be one of them. By default the account's own policies decide who does.
    - `readers`: ARNs of roles or users that may decrypt with the created key: consumers, and who replays.
  EOT
  type = object({
    key            = optional(string)
    administrators = optional(list(string), [])
    readers        = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.encryption == null ? true : var.encryption.key == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]+$", var.encryption.key))
    error_message = "encryption.key must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID; an alias does not work in policies."
  }

  validation {
    condition     = var.encryption == null ? true : var.encryption.key == null ? true : try(split(":", var.encryption.key)[3], var.region) == var.region
    error_message = "encryption.key must be in the region, because S3 and SQS can use no other."
  }

  validation {
    condition     = var.encryption == null ? true : alltrue([for arn in concat(var.encryption.administrators, var.encryption.readers) : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$", arn))])
    error_message = "encryption.administrators and readers must be ARNs of roles or users, arn:aws:iam::ACCOUNT:role/NAME."
  }

  validation {
    condition     = var.encryption == null ? true : var.encryption.key == null || length(var.encryption.administrators) + length(var.encryption.readers) == 0
    error_message = "encryption.administrators and readers belong to the key that is created; the policy of an existing key is yours."
  }
}

resource "aws_kms_key" "this" {
  count = var.encryption == null ? 0 : var.encryption.key == null ? 1 : 0

  region                  = var.region
  description             = "Aerosink ${var.prefix}: queues, streams, buckets, logs and secrets."
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = jsonencode({ Version = "2012-10-17", Statement = local.key_statements })
  tags                    = local.tags
}

resource "aws_kms_alias" "this" {
  count = length(aws_kms_key.this)

  region        = var.region
  name          = "alias/${var.prefix}"
  target_key_id = aws_kms_key.this[0].key_id
}

locals {
  kms_key = var.encryption == null ? null : var.encryption.key == null ? one(aws_kms_key.this[*].arn) : var.encryption.key

  key_administrators = try(var.encryption.administrators, [])
  key_readers        = try(var.encryption.readers, [])

  # Who manages the key cannot read, who reads cannot manage, and the function can do
  # neither. In the policy of a key, * is the key itself.
  key_statements = concat(
    [{
      Sid       = "Administrators"
      Effect    = "Allow"
      Principal = { AWS = length(local.key_administrators) > 0 ? local.key_administrators : ["arn:${local.partition}:iam::${var.account}:root"] }
      Resource  = "*"
      Action = [
        "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey", "kms:EnableKey", "kms:EnableKeyRotation",
        "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource",
        "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
      ]
    }],
    [{
      Sid       = "Function"
      Effect    = "Allow"
      Principal = { AWS = [aws_iam_role.function.arn] }
      Resource  = "*"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
    }],
    length(local.key_readers) == 0 ? [] : [{
      Sid       = "Readers"
      Effect    = "Allow"
      Principal = { AWS = local.key_readers }
      Resource  = "*"
      Action    = ["kms:Decrypt"]
    }],
    # Lambda encrypts the environment with a grant that the deployer gives it, and shows it
    # only to those who may decrypt; it holds no secrets. Secrets Manager encrypts what the
    # deployer writes. When a secret is created, it also checks that its creator may decrypt.
    [for s in [
      { sid = "DeployFunction", service = "lambda", actions = ["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"], context = {} },
      { sid = "DeploySecret", service = "secretsmanager", actions = ["kms:Encrypt", "kms:GenerateDataKey"], context = {} },
      { sid = "CheckSecret", service = "secretsmanager", actions = ["kms:Decrypt"], context = { "kms:EncryptionContext:SecretVersionId" = "RequestToValidateKeyAccess" } },
      ] : {
      Sid       = s.sid
      Effect    = "Allow"
      Principal = { AWS = ["arn:${local.partition}:iam::${var.account}:root"] }
      Resource  = "*"
      Action    = s.actions
      Condition = { StringEquals = merge({ "kms:ViaService" = "${s.service}.${var.region}.${local.domain}" }, s.context) }
    }],
    [{
      Sid       = "Logs"
      Effect    = "Allow"
      Principal = { Service = "logs.${var.region}.${local.domain}" }
      Resource  = "*"
      Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
      Condition = { ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = "arn:${local.partition}:logs:${var.region}:${var.account}:log-group:/aws/lambda/${var.prefix}" } }
    }],
  )
}
