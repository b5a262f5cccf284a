# What has no default.

variable "project" {
  description = "Id of the project that all of it is in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project is the id of a project, 6 to 30 letters, digits and hyphens; its number or its name do not do."
  }
}

variable "region" {
  description = "Region that all of it is in, where the database is or near it: europe-west1."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is a region like europe-west1; europe-west1-b is a zone, EU a multi-region."
  }
}

variable "subnetwork" {
  description = "Subnetwork that the connectors are in and the database reaches: its name, or projects/PROJECT/regions/REGION/subnetworks/NAME where it belongs to another project. Private Google Access has to be on."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(projects/[a-z0-9:.-]+/regions/[a-z0-9-]+/subnetworks/)?[a-z]([a-z0-9-]*[a-z0-9])?$", var.subnetwork))
    error_message = "subnetwork is a name like default, or projects/PROJECT/regions/REGION/subnetworks/NAME."
  }
}

variable "aerospike_ranges" {
  description = "Addresses of the database's nodes, in CIDR notation. Nothing else may open connections to the connectors."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.aerospike_ranges) > 0 && alltrue([for r in var.aerospike_ranges : can(regex("^[0-9.]+/", r)) && try(cidrhost(r, 0) == split("/", r)[0], false)])
    error_message = "aerospike_ranges are ranges of IPv4 that are named by their first address, like 10.0.0.0/24; a single node is 10.0.0.7/32."
  }

  validation {
    condition     = alltrue([for r in var.aerospike_ranges : !endswith(r, "/0")])
    error_message = "aerospike_ranges has the whole internet in it; name the ranges of the database's nodes."
  }
}

# What has one.

variable "prefix" {
  description = "Begins the name of everything, so that several pipelines can share a project."
  type        = string
  default     = "aerosink"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,16}[a-z0-9]$", var.prefix)) && !can(regex("goog", var.prefix))
    error_message = "prefix is 2 to 18 small letters, digits and hyphens, and begins with a letter. Google keeps names with goog in them for itself."
  }
}

variable "labels" {
  description = "Labels of everything that can have some, beside app."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(var.labels) <= 63 && alltrue([for name, value in var.labels :
    can(regex("^[\\p{Ll}\\p{Lo}][\\p{Ll}\\p{Lo}\\p{N}_-]{0,62}$", name)) && can(regex("^[\\p{Ll}\\p{Lo}\\p{N}_-]{0,63}$", value))])
    error_message = "labels are at most 63, of small letters, digits, hyphens and underscores, up to 63 of them; a name begins with a letter."
  }
}

variable "deletion_protection" {
  description = "Whether terraform destroy refuses what holds data, or what changes come in by. Apply with false before a destroy."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key" {
  description = "Customer-managed key, projects/P/locations/L/keyRings/R/cryptoKeys/K in the region, for buckets, topics and secrets. Null leaves encryption to Google's keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version."
  }

  validation {
    condition     = try(split("/", var.kms_key)[3], var.region) == var.region
    error_message = "kms_key is in another location than region, and a bucket can only use keys of its own place; make a key in the region."
  }
}
