# Required variables.

variable "project" {
  description = "ID of the Google Cloud project that everything is created in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project ID: 6 to 30 lower-case letters, digits and hyphens. Neither the project number nor its display name works."
  }
}

variable "region" {
  description = "Region that everything is created in, ideally the database's own, for example europe-west1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a region such as europe-west1; europe-west1-b is a zone and EU a multi-region."
  }
}

variable "subnetwork" {
  description = "Subnetwork for the connectors, reachable from the database: its name, or projects/PROJECT/regions/REGION/subnetworks/NAME if it belongs to another project. Private Google Access must be on. Another one later recreates all connectors, with other addresses."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(projects/[a-z0-9:.-]+/regions/[a-z0-9-]+/subnetworks/)?[a-z]([a-z0-9-]*[a-z0-9])?$", var.subnetwork))
    error_message = "subnetwork must be a name such as default, or projects/PROJECT/regions/REGION/subnetworks/NAME."
  }
}

variable "aerospike_ranges" {
  description = "Address ranges of the database's nodes, in CIDR notation. Only these may connect to the connectors, unless connector.firewall is false."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.aerospike_ranges) > 0 && alltrue([for r in var.aerospike_ranges : can(regex("^[0-9.]+/", r)) && try(cidrhost(r, 0) == split("/", r)[0], false)])
    error_message = "aerospike_ranges must be IPv4 ranges that start at their first address, such as 10.0.0.0/24; a single node is 10.0.0.7/32."
  }

  validation {
    condition     = alltrue([for r in var.aerospike_ranges : !endswith(r, "/0")])
    error_message = "aerospike_ranges must not contain the whole internet; list the ranges of the database's nodes."
  }
}

# Optional variables.

variable "prefix" {
  description = "Prefix of every name, so that several pipelines can share a project."
  type        = string
  default     = "aerosink"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,16}[a-z0-9]$", var.prefix)) && !can(regex("goog", var.prefix))
    error_message = "prefix must have 2 to 18 lower-case letters, digits and hyphens, start with a letter, and not contain goog, which Google reserves."
  }
}

variable "labels" {
  description = "Labels for every resource that can have labels, in addition to app."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(var.labels) <= 63 && alltrue([for name, value in var.labels :
    can(regex("^[\\p{Ll}\\p{Lo}][\\p{Ll}\\p{Lo}\\p{N}_-]{0,62}$", name)) && can(regex("^[\\p{Ll}\\p{Lo}\\p{N}_-]{0,63}$", value))])
    error_message = "labels must be at most 63, with names and values of up to 63 lower-case letters, digits, hyphens and underscores; a name starts with a letter."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete what holds data (topics, subscriptions, buckets, tables, images) and what others know by name or address (accounts, addresses, the function). A destroy is then refused before it has deleted anything, and so is a change that would replace or remove one of these. Apply with false first."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key" {
  description = "Customer-managed key in the region, projects/P/locations/L/keyRings/R/cryptoKeys/K, for everything that is stored: topics, buckets, images, machines' disks, secrets, BigQuery, and Cloud Run's copies of the images. Choose it before the first apply, because topics, tables and the repository of images cannot change theirs. Null uses Google's keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key must be projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version."
  }

  validation {
    condition     = try(split("/", var.kms_key)[3], var.region) == var.region
    error_message = "kms_key must be in the location of region, because a bucket can only use keys of its own location; create a key in the region."
  }
}
