# The tokens that connectors send. They are in a secret, and in no state of Terraform.

variable "tokens" {
  description = <<-EOT
    Tokens that connectors must send as `Authorization: Bearer TOKEN`. Null accepts requests without any, which only a load balancer in a private network may do.
    - `secret`: ARN of a secret with the tokens, one a line. By default a secret without a value is created, and nobody is let in until the output `store_token` has been run.
    - `key`: ARN of the customer-managed key of that secret, if it has one.
  EOT
  type = object({
    secret = optional(string)
    key    = optional(string)
  })
  default = {}

  validation {
    condition     = var.tokens == null ? true : var.tokens.secret == null ? true : can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$", var.tokens.secret))
    error_message = "tokens.secret must be the whole ARN of a secret, with the six characters at its end: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-AbCdEf."
  }

  validation {
    condition     = var.tokens == null ? true : var.tokens.key == null ? true : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-z0-9-]+$", var.tokens.key)) && var.tokens.secret != null
    error_message = "tokens.key must be the ARN of the key of tokens.secret, arn:aws:kms:REGION:ACCOUNT:key/ID."
  }

  validation {
    condition     = var.tokens != null || var.front == "alb"
    error_message = "tokens cannot be null with the front ${var.front}, because everybody on the internet could write; it can with alb."
  }
}

resource "aws_secretsmanager_secret" "tokens" {
  count = var.tokens == null ? 0 : var.tokens.secret == null ? 1 : 0

  region                  = var.region
  name                    = "${var.prefix}-tokens"
  description             = "Tokens of the connectors, one a line."
  kms_key_id              = local.kms_key
  recovery_window_in_days = var.force_destroy ? 0 : 30
  tags                    = local.tags
}

locals {
  tokens_secret = var.tokens == null ? null : var.tokens.secret == null ? one(aws_secretsmanager_secret.tokens[*].arn) : var.tokens.secret
  tokens_key    = try(var.tokens.key, null)

  store_token = var.tokens == null ? null : "openssl rand -hex 32 | tee token | aws secretsmanager put-secret-value --region ${var.region} --secret-id ${local.tokens_secret} --secret-string file:///dev/stdin"
}
