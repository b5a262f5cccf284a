# Required variables.

variable "account" {
  description = "ID of the AWS account that everything is created in. Another account's credentials are refused."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "account must be the 12 digits that aws sts get-caller-identity prints."
  }
}

variable "region" {
  description = "Region that everything is created in, ideally the database's own, for example eu-west-1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region such as eu-west-1; eu-west-1a is a zone."
  }
}

variable "package" {
  description = "Path of aerosink-lambda.zip, which one command builds from this clone; the README has it."
  type        = string
  nullable    = false

  validation {
    condition     = endswith(var.package, ".zip") && fileexists(var.package)
    error_message = "package must be the path of aerosink-lambda.zip, and the file must exist; the README has the command that builds it."
  }
}

variable "connectors" {
  description = "Host names or addresses at which the database reaches the connectors, ours or Aerospike's, for the output xdr_config. They run beside the database, and this module does not create them."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.connectors) > 0 && alltrue([for host in var.connectors : can(regex("^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", host))])
    error_message = "connectors must be host names or IPv4 addresses, such as 10.0.0.5, without ports."
  }
}

# Optional variables.

variable "prefix" {
  description = "Prefix of every name, so that several pipelines can share an account and a region."
  type        = string
  default     = "aerosink"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.prefix))
    error_message = "prefix must have 2 to 16 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "tags" {
  description = "Tags of every resource that can have tags, in addition to app."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.tags) <= 45 && alltrue([for name, value in var.tags : can(regex("^[\\p{L}\\p{N} _.:/=+@-]{1,128}$", name)) && can(regex("^[\\p{L}\\p{N} _.:/=+@-]{0,256}$", value)) && !startswith(name, "aws:")])
    error_message = "tags must be at most 45, with names of up to 128 and values of up to 256 letters, digits, spaces and _.:/=+@-; names cannot begin with aws:."
  }
}

variable "namespaces" {
  description = "Namespaces of the database, for the output xdr_config."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.namespaces : can(regex("^[A-Za-z0-9_$-]{1,31}$", name))])
    error_message = "namespaces must be names of up to 31 letters, digits and any of _$-."
  }
}

variable "force_destroy" {
  description = "Whether a destroy deletes buckets together with their files and the secret without a time to restore it. Queues and streams have no such protection: a destroy deletes them with their messages."
  type        = bool
  default     = false
  nullable    = false
}

locals {
  tags      = merge(var.tags, { app = var.prefix })
  partition = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"
  domain    = local.partition == "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com"

  # Names of buckets are shared by all accounts.
  bucket_suffix = "${var.account}-${var.region}"
}

data "aws_caller_identity" "this" {
  lifecycle {
    postcondition {
      condition     = self.account_id == var.account
      error_message = "account is ${var.account}, but the credentials are those of the account ${self.account_id}."
    }
  }
}
