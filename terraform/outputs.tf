output "topic" {
  description = "Topic that has a message of each change."
  value       = google_pubsub_topic.changes.id
}

output "subscriptions" {
  description = "Subscriptions of that topic that subscribers pull from, by name."
  value       = { for name, s in google_pubsub_subscription.changes : name => s.id }
}

output "undelivered_subscription" {
  description = "Subscription with the messages that subscribers do not take."
  value       = google_pubsub_subscription.undelivered.id
}

output "archive" {
  description = "Where in Cloud Storage the function writes changes; null where it does not."
  value       = one([for bucket in google_storage_bucket.archive : "gs://${bucket.name}/${var.archive.prefix}"])
}

output "dead_letters" {
  description = "Where in Cloud Storage the function writes changes that can never be stored."
  value       = local.dead_letters
}

output "messages" {
  description = "Where in Cloud Storage Pub/Sub writes messages; null without a Cloud Storage subscription."
  value       = one([for bucket in google_storage_bucket.messages : "gs://${bucket.name}/changes"])
}

output "ingest_url" {
  description = "Where changes are sent to, by POST. From elsewhere than ingest.ingress names it is not found."
  value       = local.ingest_url
}

output "ingest_audience" {
  description = "Audience that identity tokens for it must have."
  value       = local.audience
}

output "ingest_account" {
  description = "Service account that stores changes, for grants on topics and buckets of your own."
  value       = google_service_account.ingest.email
}

output "connectors" {
  description = "Addresses of the connectors, by name, that the database is to ship to on port 8901."
  value       = { for name, address in google_compute_address.connector : name => address.address }
}

output "connector_balancer" {
  description = "Address in front of all connectors; null without the balancer."
  value       = one(google_compute_address.connector_balancer[*].address)
}

output "connector_config" {
  description = "Configuration that the connectors run with, without secrets; null without connectors."
  value       = local.connector_config
}

output "xdr_config_command" {
  description = "Command that prints what points the database at the connectors, to be run at the top of the clone; null without connectors."
  value       = local.xdr_config_command
}

output "roll_connectors" {
  description = "Commands that bring machines up to what was applied, one after another; null without connectors."
  value       = local.roll_connectors
}

output "bigquery_table" {
  description = "BigQuery table of the records; null without one."
  value       = local.bigquery_table
}

output "dashboards" {
  description = "Dashboards, in the console."
  value = [for d in concat(google_monitoring_dashboard.connector, [google_monitoring_dashboard.function]) :
    "https://console.cloud.google.com/monitoring/dashboards/builder/${basename(d.id)}?project=${var.project}"
  ]
}

output "connector_account" {
  description = "Service account of the connectors, which may call the function; for connectors elsewhere to run as."
  value       = google_service_account.connector.email
}

output "connector_image" {
  description = "Image of the connector, with its digest."
  value       = local.images.connector
}

output "repository" {
  description = "Repository of Artifact Registry that images are in."
  value       = google_artifact_registry_repository.images.name
}

output "build_account" {
  description = "Service account of builds, for a trigger of cloudbuild.yaml."
  value       = google_service_account.build.name
}
