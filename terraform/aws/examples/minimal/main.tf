# The required variables only; everything else has its default: an HTTP API, the function, a
# queue, and a bucket of dead letters.

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.66, < 7"
    }
  }
}

module "aerosink" {
  source = "../.." # elsewhere: "git::https://github.com/aerosink/aerosink.git//terraform/aws?ref=COMMIT"

  account    = var.account
  region     = var.region
  package    = var.package
  connectors = var.connectors
}

output "aerosink" {
  description = "All outputs of the module."
  value       = module.aerosink
}
