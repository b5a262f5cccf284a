# Nearly every option, for a shop whose database is in three address ranges and ships 50,000
# changes a second.

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.33, < 9"
    }
  }
}

variable "kms_key" {
  description = "Customer-managed key in the region, for all data."
  type        = string
}

variable "images" {
  description = "Images to run, connector and sink, each with its digest, built and tested in another project."
  type        = object({ connector = string, sink = string })
}

variable "notification_channels" {
  description = "Notification channels of the alerts: projects/PROJECT/notificationChannels/NUMBER."
  type        = list(string)
}

module "aerosink" {
  source = "../.." # elsewhere: "git::https://github.com/aerosink/aerosink.git//terraform?ref=COMMIT"

  project          = var.project
  region           = var.region
  subnetwork       = var.subnetwork
  aerospike_ranges = var.aerospike_ranges

  prefix              = "shop-changes"
  labels              = { team = "data", cost-centre = "4711" }
  deletion_protection = true
  kms_key             = var.kms_key
  images              = var.images

  connector = {
    size         = 3
    machine_type = "n2-standard-4"
    namespaces   = ["shop"]
    tls = {
      certificate = "projects/${var.project}/secrets/connector-certificate/versions/1"
      key         = "projects/${var.project}/secrets/connector-key/versions/1"
      authority   = "projects/${var.project}/secrets/aerospike-authority/versions/1"
      name        = "connector.shop.example"
    }
  }

  # Two instances handle 50,000 changes a second; the third is a reserve.
  ingest = {
    min_instances = 3
    max_instances = 30
    cpu           = 2
    memory        = 1024
    metrics       = true
    environment   = { LOG_LEVEL = "warn" }
  }

  changes = {
    data           = "json"
    retention_days = 7
    subscriptions = {
      search = {
        filter      = "attributes.set = \"products\""
        subscribers = ["serviceAccount:search@${var.project}.iam.gserviceaccount.com"]
      }
      mail = {
        filter      = "attributes.set = \"orders\""
        subscribers = ["serviceAccount:mail@${var.project}.iam.gserviceaccount.com"]
        attempts    = 5
      }
    }
  }

  archive = {
    format      = "parquet"
    path        = "set={set}/dt={date}/hour={hour}"
    linger_ms   = 2000 # fewer files, which are billed by number
    transitions = { NEARLINE = 30, COLDLINE = 90 }
    retention   = { days = 30 }
    expire_days = 730
  }

  dead_letters = { expire_days = 365 }

  bigquery = {
    max_staleness_minutes = 30
    readers               = ["group:analysts@shop.example"]
  }

  alerts = {
    channels    = var.notification_channels
    lag_minutes = 2
  }
}

output "aerosink" {
  description = "All outputs of the module."
  value       = module.aerosink
}
