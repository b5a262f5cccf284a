variable "project" {
  description = "ID of the project to create everything in."
  type        = string
}

variable "region" {
  description = "Region to create everything in, ideally the database's own."
  type        = string
}

variable "subnetwork" {
  description = "Subnetwork for the connectors, reachable from the database."
  type        = string
}

variable "aerospike_ranges" {
  description = "Address ranges of the database's nodes, in CIDR notation."
  type        = list(string)
}
