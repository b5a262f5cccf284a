output "url" {
  description = "URL to POST changes to."
  value       = local.front.url
}

output "function" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "role" {
  description = "ARN of the function's role."
  value       = aws_iam_role.function.arn
}

output "queue" {
  description = "URL of the queue of changes; null without one."
  value       = one(aws_sqs_queue.changes[*].url)
}

output "undelivered" {
  description = "URL of the queue of messages that consumers have given up on; null without one."
  value       = one(aws_sqs_queue.undelivered[*].url)
}

output "stream" {
  description = "ARN of the stream of changes; null without one."
  value       = one(aws_kinesis_stream.changes[*].arn)
}

output "archive" {
  description = "S3 location that the function writes changes to; null without an archive."
  value       = one([for b in aws_s3_bucket.archive : "s3://${b.bucket}/${var.archive.prefix}?region=${var.region}"])
}

output "dead_letters" {
  description = "Where the function's dead letters are, as a sink."
  value       = local.dead_letters
}

output "kms_key" {
  description = "ARN of the customer-managed key; null where AWS's own are used."
  value       = local.kms_key
}

output "store_token" {
  description = "Command that makes a token, stores it in the secret, and writes it to the file token; null without tokens."
  value       = local.store_token
}

output "connector_config" {
  description = "Configuration of our connectors. It expects the token in a file of that name beside it."
  value       = local.connector_config
}

output "esp_config" {
  description = "Configuration of Aerospike Connect for ESP, with TOKEN in place of the token."
  value       = local.esp_config
}

output "xdr_config" {
  description = "What points the database at the connectors: a stanza for aerospike.conf, and commands that do the same without a restart."
  value       = local.xdr_config
}

output "environment" {
  description = "Variables of the function. None of them is secret."
  value       = local.environment
}

locals {
  connector_config = templatefile("${path.module}/templates/connector.yml.tftpl", { url = local.front.url, token = var.tokens != null, max_bytes = local.max_bytes })

  esp_config = templatefile("${path.module}/templates/esp.yml.tftpl", { url = local.front.url, token = var.tokens != null, max_bytes = local.max_bytes })

  xdr_config = templatefile("${path.module}/templates/xdr.conf.tftpl", {
    hosts      = var.connectors
    namespaces = length(var.namespaces) == 0 ? ["NAMESPACE"] : var.namespaces
  })
}
