variable "account" {
  description = "ID of the AWS account to create everything in."
  type        = string
}

variable "region" {
  description = "Region to create everything in, ideally the database's own."
  type        = string
}

variable "package" {
  description = "Path of aerosink-lambda.zip."
  type        = string
}

variable "connectors" {
  description = "Host names or addresses at which the database reaches the connectors."
  type        = list(string)
}

variable "shards" {
  description = "Number of shards, each for 1 MB and 1,000 records a second."
  type        = number
  default     = 4
}
