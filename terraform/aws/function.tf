# The function: the program function/cmd/lambda, as a zip.

variable "function" {
  description = <<-EOT
    The function and its environments.
    - `architecture`: `arm64` or `x86_64`; the package must have been built for it.
    - `memory`: MiB, 128 to 10240. The processor grows with it: 1769 MiB have one. An invocation needs about 20 times the largest request.
    - `timeout`: seconds until Lambda kills an invocation, 12 to 60; the function itself answers within 9.
    - `concurrency`: most environments at once, which are reserved in the account. -1 reserves none; new accounts need that, because they may have only 10 in all.
    - `log_level`: `DEBUG`, `INFO`, `WARN` or `ERROR`. Successful requests are not logged.
    - `log_days`: days that logs are kept.
    - `environment`: more variables of the function, such as `{ MAX_CHANGE = "4MiB" }`.
  EOT
  type = object({
    architecture = optional(string, "arm64")
    memory       = optional(number, 512)
    timeout      = optional(number, 15)
    concurrency  = optional(number, 50)
    log_level    = optional(string, "INFO")
    log_days     = optional(number, 30)
    environment  = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.function.architecture)
    error_message = "function.architecture must be arm64 or x86_64."
  }

  validation {
    condition     = var.function.memory >= 128 && var.function.memory <= 10240 && floor(var.function.memory) == var.function.memory
    error_message = "function.memory must be 128 to 10240 MiB."
  }

  validation {
    condition     = var.function.timeout >= 12 && var.function.timeout <= 60 && floor(var.function.timeout) == var.function.timeout
    error_message = "function.timeout must be 12 to 60 seconds: a request takes up to 9, and the database waits 10."
  }

  validation {
    condition     = (var.function.concurrency == -1 || var.function.concurrency >= 1) && floor(var.function.concurrency) == var.function.concurrency
    error_message = "function.concurrency must be 1 or more, or -1 to reserve none."
  }

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN", "ERROR"], var.function.log_level)
    error_message = "function.log_level must be DEBUG, INFO, WARN or ERROR."
  }

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.function.log_days)
    error_message = "function.log_days must be a number of days that CloudWatch Logs offers, such as 7, 30, 90, 365 or 3653."
  }

  validation {
    condition = length(setsubtract(keys(var.function.environment), ["SINKS", "DEAD_LETTERS", "TIMEOUT", "AUTH_TOKENS", "AUTH_TOKENS_FILE", "AUTH_TOKENS_SECRET", "LOG_LEVEL"])) == length(var.function.environment) && alltrue([
      for name in keys(var.function.environment) : can(regex("^[A-Z][A-Z0-9_]+$", name)) && !startswith(name, "AWS_") && !startswith(name, "LAMBDA_")
    ])
    error_message = "function.environment must have names in capitals, and cannot have SINKS, DEAD_LETTERS, TIMEOUT, AUTH_TOKENS… and LOG_LEVEL, which other variables set, or AWS_… and LAMBDA_…, which are Lambda's."
  }
}

# Created here so that it has a retention, and so that the function needs no right to
# create groups.
resource "aws_cloudwatch_log_group" "function" {
  region            = var.region
  name              = "/aws/lambda/${var.prefix}"
  retention_in_days = var.function.log_days
  kms_key_id        = local.kms_key
  tags              = local.tags
}

resource "aws_lambda_function" "this" {
  region        = var.region
  function_name = var.prefix
  description   = "Aerosink: stores changes of an Aerospike database."
  tags          = local.tags

  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.function.architecture]

  role                           = aws_iam_role.function.arn
  memory_size                    = var.function.memory
  timeout                        = var.function.timeout
  reserved_concurrent_executions = var.function.concurrency
  kms_key_arn                    = local.kms_key

  environment {
    variables = local.environment
  }

  # The log has a line only where something is to be said: no START and END of each
  # invocation. The function's own level decides about its lines; lines of metrics have none.
  logging_config {
    log_group             = aws_cloudwatch_log_group.function.name
    log_format            = "JSON"
    application_log_level = "TRACE"
    system_log_level      = "WARN"
  }

  lifecycle {
    precondition {
      condition     = length(local.sinks) > 0
      error_message = "Changes are stored nowhere: set queue, stream or archive."
    }
  }

  depends_on = [aws_iam_role_policy.function, data.aws_caller_identity.this]
}

locals {
  function_arn = "arn:${local.partition}:lambda:${var.region}:${var.account}:function:${var.prefix}"

  # The database waits 10 seconds.
  answer_seconds = 9

  sinks = concat(local.queue_sinks, local.stream_sinks, local.archive_sinks)

  environment = merge(var.function.environment, {
    SINKS        = join(",", local.sinks)
    DEAD_LETTERS = local.dead_letters
    TIMEOUT      = "${local.answer_seconds}s"
    LOG_LEVEL    = var.function.log_level
    }, local.tokens_secret == null ? {} : {
    AUTH_TOKENS_SECRET = local.tokens_secret
  })
}
