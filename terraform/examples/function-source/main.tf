# The function built by Google as a Cloud Run function, without an image of our own. The
# connectors still need their image. First create the zip, at the top of a clone:
#
#     mkdir -p bin && gcloud meta list-files-for-upload | zip -qX@ bin/function.zip
#
# Then give its path: export TF_VAR_zip=$PWD/bin/function.zip

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
  description = "Path of the zip file of the sources."
  type        = string
}

module "aerosink" {
  source = "../.." # elsewhere: "git::https://github.com/aerosink/aerosink.git//terraform?ref=COMMIT"

  project          = var.project
  region           = var.region
  subnetwork       = var.subnetwork
  aerospike_ranges = var.aerospike_ranges

  ingest = {
    function_source = var.zip
  }
}

output "aerosink" {
  description = "All outputs of the module."
  value       = module.aerosink
}
