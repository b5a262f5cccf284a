# A REST API, for those who have its usage plans, its resource policies or a private endpoint.
# Changes go to a stream. An API of your own without proxy integration answers failures
# with 200, and so loses changes: rest-without-proxy.json shows what it needs.

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

  front  = "rest-proxy"
  queue  = null
  stream = { shards = var.shards, retention_hours = 168 }
}

output "aerosink" {
  description = "All outputs of the module."
  value       = module.aerosink
}
