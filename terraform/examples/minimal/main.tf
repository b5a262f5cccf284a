# The least that can be said; all else is as it is by default.

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.21"
    }
  }
}

module "aerosink" {
  source = "../.."

  project          = var.project
  region           = var.region
  subnetwork       = var.subnetwork
  aerospike_ranges = var.aerospike_ranges
}

output "aerosink" {
  description = "Where everything is, and what to tell the database."
  value       = module.aerosink
}
