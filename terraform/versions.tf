# No provider is configured here, so that this is as good a module as it is a root:
# every resource says its project, its region and its labels itself.
terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.21"
    }
  }
}
