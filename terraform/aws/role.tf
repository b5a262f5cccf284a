# What the function may do: what its calls need, on its own resources.

resource "aws_iam_role" "function" {
  name        = "${var.prefix}-${var.region}" # roles are shared by all regions
  description = "The function ${var.prefix} in ${var.region}."
  tags        = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account } }
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  name   = "function"
  role   = aws_iam_role.function.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.function_statements })
}

locals {
  function_statements = concat(
    [{
      Sid      = "Log"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:${local.partition}:logs:${var.region}:${var.account}:log-group:/aws/lambda/${var.prefix}:*"]
    }],
    length(local.written_queues) == 0 ? [] : [{
      Sid      = "Queues"
      Effect   = "Allow"
      Action   = ["sqs:GetQueueAttributes", "sqs:SendMessage"]
      Resource = local.written_queues
    }],
    var.stream == null ? [] : [{
      Sid      = "Stream"
      Effect   = "Allow"
      Action   = ["kinesis:DescribeStreamSummary", "kinesis:PutRecords"]
      Resource = [local.stream_arn]
    }],
    length(local.written_prefixes) == 0 ? [] : [{
      Sid      = "Objects"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = local.written_prefixes
    }],
    local.tokens_secret == null ? [] : [{
      Sid      = "Tokens"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = [local.tokens_secret]
    }],
    # Data keys to encrypt with. SQS checks the right to decrypt of senders, too.
    var.encryption == null ? [] : [{
      Sid      = "Key"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = [local.kms_key]
    }],
    local.tokens_key == null ? [] : [{
      Sid       = "TokensKey"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [local.tokens_key]
      Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.${local.domain}" } }
    }],
  )

  written_queues   = concat(local.queue_arns, [for q in aws_sqs_queue.dead_letters : "arn:${local.partition}:sqs:${var.region}:${var.account}:${q.name}"])
  written_prefixes = concat(local.archive_objects, local.dead_letter_objects)
}
