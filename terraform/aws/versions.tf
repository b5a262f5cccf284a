# No provider is configured here, so that this works as a module and as a root. Every
# resource sets its region and tags itself.
terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.66, < 7"
    }
  }
}
