# No provider is configured here, so that this works as a module and as a root. Every
# resource sets its project, region and labels itself.
terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.33, < 9"
    }
  }
}
