# The function as Google builds it, for who wants Cloud Run functions and no image of
# it; the connectors' is made all the same. Make the zip at the top of the clone first:
#
#     mkdir -p bin && gcloud meta list-files-for-upload | zip -qX@ bin/function.zip

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.21"
    }
  }
}

variable "zip" {
  description = "The sources. Null is bin/function.zip of this clone."
  type        = string
  default     = null
}

module "aerosink" {
  source = "../.."

  project          = var.project
  region           = var.region
  subnetwork       = var.subnetwork
  aerospike_ranges = var.aerospike_ranges

  ingest = {
    function_source = coalesce(var.zip, "${path.module}/../../../bin/function.zip")
  }
}

output "aerosink" {
  description = "Where everything is, and what to tell the database."
  value       = module.aerosink
}
