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

variable "listener" {
  description = "ARN of the balancer's HTTPS listener."
  type        = string
}

variable "url" {
  description = "URL of the listener, with the host for the function, which its certificate must have."
  type        = string
}

variable "key_administrators" {
  description = "ARNs of roles or users that manage the key, the deployer's among them."
  type        = list(string)
}

variable "key_readers" {
  description = "ARNs of roles or users that read what is stored."
  type        = list(string)
}

variable "alarm_topics" {
  description = "ARNs of SNS topics that get alarms."
  type        = list(string)
}
