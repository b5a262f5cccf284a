output "topic" {
  description = "Topic with a message for each change."
  value       = google_pubsub_topic.changes.id
}

output "subscriptions" {
  description = "Pull subscriptions of that topic, by name."
  value       = { for name, s in google_pubsub_subscription.changes : name => s.id }
}

output "undelivered_subscription" {
  description = "Subscription with the messages that could not be delivered."
  value       = google_pubsub_subscription.undelivered.id
}

output "archive" {
  description = "Cloud Storage location that the function writes changes to; null without an archive."
  value       = one([for bucket in google_storage_bucket.archive : "gs://${bucket.name}/${var.archive.prefix}"])
}

output "dead_letters" {
  description = "Cloud Storage location of the function's dead letters."
  value       = local.dead_letters
}

output "messages" {
  description = "Cloud Storage location that Pub/Sub writes messages to; null without a Cloud Storage subscription."
  value       = one([for bucket in google_storage_bucket.messages : "gs://${bucket.name}/changes"])
}

output "ingest_url" {
  description = "URL to POST changes to. Requests from outside ingest.ingress get a 404."
  value       = local.ingest_url
}

output "ingest_audience" {
  description = "Audience of identity tokens for the function."
  value       = local.audience
}

output "ingest_account" {
  description = "Service account of the function, for grants on topics and buckets of your own."
  value       = google_service_account.ingest.email
}

output "connectors" {
  description = "Addresses of the connectors, by name. The database ships to port 8901."
  value       = { for name, address in google_compute_address.connector : name => address.address }
}

output "connector_balancer" {
  description = "Address of the load balancer; null without one."
  value       = one(google_compute_address.connector_balancer[*].address)
}

output "connector_config" {
  description = "Configuration of the connectors, without secrets. It is also one for connectors elsewhere; null if those need a token."
  value       = local.connector_config
}

output "xdr_config" {
  description = "Settings of the database for the connectors: the stanza of aerospike.conf, and commands that do the same without a restart. Null without connectors."
  value       = local.xdr_config
}

output "roll_connectors" {
  description = "Commands that update the machines to what was applied, one by one; null without connectors."
  value       = local.roll_connectors
}

output "bigquery_table" {
  description = "BigQuery table of records; null without one."
  value       = local.bigquery_table
}

output "dashboards" {
  description = "URLs of the dashboards in the console."
  value = [for d in concat(google_monitoring_dashboard.connector, [google_monitoring_dashboard.function]) :
    "https://console.cloud.google.com/monitoring/dashboards/builder/${basename(d.id)}?project=${var.project}"
  ]
}

output "connector_account" {
  description = "Service account of the connectors, which may call the function. Connectors elsewhere can run as it."
  value       = google_service_account.connector.email
}

output "connector_image" {
  description = "Image of the connector, with its digest."
  value       = local.images.connector
}

output "images" {
  description = "Images that run, with their digests, as the variable images takes them."
  value       = local.images
}

output "repository" {
  description = "Artifact Registry repository of the images."
  value       = google_artifact_registry_repository.images.name
}

output "build_account" {
  description = "Service account of builds, for a trigger of cloudbuild.yaml; null if images are given."
  value       = one(google_service_account.build[*].name)
}

output "build_bucket" {
  description = "Bucket for the sources of builds; null if images are given."
  value       = one(google_storage_bucket.build[*].name)
}
