# The function and its role.

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

run "by_default" {
  command = plan

  assert {
    condition = (aws_lambda_function.this.runtime == "provided.al2023"
      && aws_lambda_function.this.handler == "bootstrap"
      && tolist(aws_lambda_function.this.architectures) == tolist(["arm64"])
      && aws_lambda_function.this.timeout == 15
      && aws_lambda_function.this.memory_size == 512
      && aws_lambda_function.this.reserved_concurrent_executions == 50
    && aws_lambda_function.this.source_code_hash == filebase64sha256("tests/package.zip"))
    error_message = "The function has unexpected settings."
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      SINKS              = "sqs://eu-west-1/123456789012/aerosink-changes.fifo?ordering=256"
      DEAD_LETTERS       = "s3://aerosink-dead-letters-123456789012-eu-west-1/letters?region=eu-west-1"
      TIMEOUT            = "9s"
      LOG_LEVEL          = "INFO"
      AUTH_TOKENS_SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:aerosink-tokens-AbCdEf"
    })
    error_message = "The function has an unexpected environment: ${jsonencode(aws_lambda_function.this.environment[0].variables)}"
  }

  assert {
    condition     = aws_cloudwatch_log_group.function.name == "/aws/lambda/aerosink" && aws_cloudwatch_log_group.function.retention_in_days == 30 && aws_lambda_function.this.logging_config[0].system_log_level == "WARN"
    error_message = "Logs are kept for ever, or have a line for each invocation."
  }

  assert {
    condition     = jsondecode(aws_iam_role.function.assume_role_policy).Statement[0].Principal == { Service = "lambda.amazonaws.com" }
    error_message = "Others than Lambda can have the role."
  }
}

run "settings" {
  command = plan

  variables {
    prefix   = "shop"
    tags     = { team = "data" }
    function = { architecture = "x86_64", memory = 1769, timeout = 12, concurrency = -1, log_level = "WARN", log_days = 365, environment = { MAX_CHANGE = "4MiB" } }
  }

  assert {
    condition     = aws_lambda_function.this.function_name == "shop" && tolist(aws_lambda_function.this.architectures) == tolist(["x86_64"]) && aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "The function has unexpected settings."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["MAX_CHANGE"] == "4MiB" && aws_lambda_function.this.environment[0].variables["LOG_LEVEL"] == "WARN"
    error_message = "The function has an unexpected environment."
  }

  assert {
    condition     = aws_lambda_function.this.tags == tomap({ app = "shop", team = "data" }) && aws_sqs_queue.changes[0].tags == aws_lambda_function.this.tags
    error_message = "Tags are missing."
  }
}

run "another_account" {
  command = plan

  variables {
    account = "210987654321"
  }

  expect_failures = [data.aws_caller_identity.this]
}

run "another_partition" {
  command = plan

  variables {
    region = "cn-north-1"
  }

  assert {
    condition     = local.written_queues == ["arn:aws-cn:sqs:cn-north-1:123456789012:aerosink-changes.fifo"]
    error_message = "Unexpected ARN in China: ${local.written_queues[0]}"
  }
}

run "invalid" {
  command = plan

  variables {
    connectors   = ["10.0.0.5:8901"]
    prefix       = "Shop"
    tags         = { "aws:x" = "y" }
    function     = { timeout = 3 }
    queue        = { ordering = 5000 }
    stream       = { retention_hours = 1 }
    archive      = { format = "csv" }
    dead_letters = { kind = "stream" }
    encryption   = { key = "alias/shop" }
    alarms       = { error_ratio = 5 }
    front        = "function-url"
  }

  expect_failures = [
    var.connectors, var.prefix, var.tags, var.function, var.queue, var.stream, var.archive, var.dead_letters, var.encryption, var.alarms, var.front,
  ]
}
