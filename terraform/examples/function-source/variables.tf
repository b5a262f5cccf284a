variable "project" {
  description = "Id of the project that all of it is in."
  type        = string
}

variable "region" {
  description = "Region that all of it is in, where the database is or near it."
  type        = string
}

variable "subnetwork" {
  description = "Subnetwork that the connectors are in and the database reaches."
  type        = string
}

variable "aerospike_ranges" {
  description = "Addresses of the database's nodes, in CIDR notation."
  type        = list(string)
}
