# Encryption with a key of one's own, and the tokens.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  account    = "123456789012"
  region     = "eu-west-1"
  package    = "tests/package.zip"
  connectors = ["10.0.0.5", "10.0.0.6"]
}

run "no_key_by_default" {
  command = plan

  assert {
    condition     = length(aws_kms_key.this) == 0 && local.kms_key == null && aws_sqs_queue.changes[0].kms_master_key_id == null && !contains([for s in local.function_statements : s.Sid], "Key")
    error_message = "There is a key, or the function may use one."
  }
}

run "new_key" {
  command = plan

  variables {
    stream  = {}
    archive = {}
    encryption = {
      administrators = ["arn:aws:iam::123456789012:role/security"]
      readers        = ["arn:aws:iam::123456789012:role/consumer"]
    }
  }

  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation && aws_kms_alias.this[0].name == "alias/aerosink"
    error_message = "The key is not rotated, or has no alias."
  }

  assert {
    condition = alltrue([for used in concat(
      aws_sqs_queue.changes[*].kms_master_key_id, aws_kinesis_stream.changes[*].kms_key_id, aws_secretsmanager_secret.tokens[*].kms_key_id,
      [for b in aws_s3_bucket_server_side_encryption_configuration.all : one(one(b.rule).apply_server_side_encryption_by_default).kms_master_key_id],
      [aws_cloudwatch_log_group.function.kms_key_id, aws_lambda_function.this.kms_key_arn],
    ) : used == "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"])
    error_message = "Something is stored with another key."
  }

  assert {
    condition     = alltrue([for b in aws_s3_bucket_server_side_encryption_configuration.all : one(b.rule).bucket_key_enabled]) && !aws_sqs_queue.changes[0].sqs_managed_sse_enabled
    error_message = "Each file is a call of KMS, or the queue has two kinds of encryption."
  }

  assert {
    condition     = jsonencode([for s in local.key_statements : [s.Action, s.Principal] if s.Sid == "Readers"]) == jsonencode([[["kms:Decrypt"], { AWS = ["arn:aws:iam::123456789012:role/consumer"] }]])
    error_message = "Readers may do more than decrypt."
  }

  assert {
    condition     = length(setintersection({ for s in local.key_statements : s.Sid => s.Action }["Administrators"], ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant"])) == 0
    error_message = "Administrators of the key can use it."
  }
}

run "existing_key" {
  command = plan

  variables {
    encryption = { key = "arn:aws:kms:eu-west-1:123456789012:key/99999999-2222-3333-4444-555555555555" }
  }

  assert {
    condition     = length(aws_kms_key.this) == 0 && aws_sqs_queue.changes[0].kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/99999999-2222-3333-4444-555555555555"
    error_message = "The queue has another key."
  }
}

run "new_secret" {
  command = plan

  assert {
    condition     = aws_secretsmanager_secret.tokens[0].name == "aerosink-tokens" && aws_secretsmanager_secret.tokens[0].recovery_window_in_days == 30 && strcontains(output.store_token, "put-secret-value")
    error_message = "There is no secret, or nothing says how to store a token."
  }
}

run "existing_secret" {
  command = plan

  variables {
    tokens = { secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/tokens-XyZ123", key = "arn:aws:kms:eu-west-1:123456789012:key/88888888-2222-3333-4444-555555555555" }
  }

  assert {
    condition     = length(aws_secretsmanager_secret.tokens) == 0 && local.environment.AUTH_TOKENS_SECRET == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/tokens-XyZ123"
    error_message = "The function does not read the given secret."
  }

  assert {
    condition     = { for s in local.function_statements : s.Sid => s.Resource }["Tokens"] == ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/tokens-XyZ123"] && contains([for s in local.function_statements : s.Sid], "TokensKey")
    error_message = "The function may not read the secret, or not decrypt it."
  }
}
