# The function built by Google as a Cloud Run function, without an image of our own. The
# connectors still need their image. First create the zip, at the top of the clone:
#
#     mkdir -p bin && gcloud meta list-files-for-upload | zip -qX@ bin/function.zip

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.33, < 9"
    }
  }
}

variable "zip" {
  description = "Zip file of the sources. Null is bin/function.zip of this clone."
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
  description = "All outputs of the module."
  value       = module.aerosink
}
