# Behind an Application Load Balancer, whose listener decides who can reach the function at
# all: the balancer's security group admits the connectors. Changes go into a queue and into
# an archive, both with a key whose readers are named.

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

  front = "alb"
  alb   = { listener = var.listener, url = var.url, priority = 10 }

  queue   = { attempts = 10 }
  archive = { format = "parquet", transitions = { STANDARD_IA = 30, DEEP_ARCHIVE = 365 } }

  encryption = { administrators = var.key_administrators, readers = var.key_readers }
  alarms     = { topics = var.alarm_topics }
}

output "aerosink" {
  description = "All outputs of the module."
  value       = module.aerosink
}
