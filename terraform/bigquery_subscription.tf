# Changes as rows: the topic with messages for BigQuery, and the subscription by which
# Pub/Sub writes them to the table.

resource "google_service_account" "bigquery_writer" {
  count = var.bigquery == null ? 0 : 1

  project      = var.project
  account_id   = "${var.prefix}-bigquery"
  display_name = "Aerosink's BigQuery subscription: writes the rows of a table"
  depends_on   = [google_project_service.api]
}

# Pub/Sub becomes this account for writing. Whoever applies needs
# roles/iam.serviceAccountUser, to make a subscription that does.
resource "google_service_account_iam_member" "bigquery_writer_agent" {
  count = length(google_service_account.bigquery_writer)

  service_account_id = google_service_account.bigquery_writer[0].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent
  depends_on         = [google_pubsub_topic.bigquery] # by the first topic of a project Pub/Sub's account is there

  # As for the key: Pub/Sub asks at once.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue
  }
}

resource "google_bigquery_table_iam_member" "records_writer" {
  count = length(google_service_account.bigquery_writer)

  project    = var.project
  dataset_id = google_bigquery_table.records[0].dataset_id
  table_id   = google_bigquery_table.records[0].table_id
  role       = "roles/bigquery.dataEditor"
  member     = google_service_account.bigquery_writer[0].member

  # As for the key: Pub/Sub asks at once.
  provisioner "local-exec" {
    command    = "sleep 60"
    on_failure = continue
  }
}

resource "google_pubsub_topic" "bigquery" {
  count = var.bigquery == null ? 0 : 1

  project      = var.project
  name         = "${var.prefix}-bigquery"
  labels       = local.labels
  kms_key_name = var.kms_key

  message_storage_policy {
    allowed_persistence_regions = local.message_regions
    enforce_in_transit          = var.changes.enforce_in_transit
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agents]
}

resource "google_pubsub_topic_iam_member" "bigquery_ingest" {
  count = length(google_pubsub_topic.bigquery)

  project = var.project
  topic   = google_pubsub_topic.bigquery[0].name
  role    = "roles/pubsub.publisher"
  member  = google_service_account.ingest.member
}

resource "google_pubsub_subscription" "bigquery" {
  count = length(google_pubsub_topic.bigquery)

  project                    = var.project
  name                       = "${var.prefix}-bigquery"
  topic                      = google_pubsub_topic.bigquery[0].id
  labels                     = local.labels
  ack_deadline_seconds       = 600
  message_retention_duration = "2678400s" # 31 days, which is the most

  # What is no column is refused, not dropped: a row without what says UPSERT or DELETE
  # would be one more.
  bigquery_config {
    table                 = local.bigquery_table
    use_table_schema      = true
    drop_unknown_fields   = false
    write_metadata        = false
    service_account_email = google_service_account.bigquery_writer[0].email
  }

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # The most attempts: what fails is BigQuery rather than a message, and passes.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.undelivered.id
    max_delivery_attempts = 100
  }

  depends_on = [google_bigquery_table_iam_member.records_writer, google_service_account_iam_member.bigquery_writer_agent]
}

resource "google_pubsub_subscription_iam_member" "bigquery_agent" {
  count = length(google_pubsub_subscription.bigquery)

  project      = var.project
  subscription = google_pubsub_subscription.bigquery[0].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

locals {
  # Without ordering: each message says its place among the changes of its record.
  bigquery_parameters = {
    data     = "bigquery"
    endpoint = var.changes.enforce_in_transit ? var.region : null
  }

  # The function is told when there is a subscription: a message before is nobody's.
  bigquery_sinks = [
    for subscription in google_pubsub_subscription.bigquery :
    "pubsub://${var.project}/${google_pubsub_topic.bigquery[0].name}?${join("&", [for name, value in local.bigquery_parameters : "${name}=${value}" if value != null])}"
  ]
}
