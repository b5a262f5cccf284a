# Messages that a subscriber has refused time and again, or a place that Pub/Sub itself
# writes to: their topic, and the subscription that keeps them for a person.

# Without a schema: it would refuse what is here because of one.
resource "google_pubsub_topic" "undelivered" {
  project      = var.project
  name         = "${var.prefix}-undelivered"
  labels       = local.labels
  kms_key_name = var.kms_key

  message_storage_policy {
    allowed_persistence_regions = local.message_regions
    enforce_in_transit          = var.changes.enforce_in_transit
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agents]
}

resource "google_pubsub_topic_iam_member" "undelivered_agent" {
  project = var.project
  topic   = google_pubsub_topic.undelivered.name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

# A topic without a subscription keeps nothing.
resource "google_pubsub_subscription" "undelivered" {
  project                    = var.project
  name                       = "${var.prefix}-undelivered"
  topic                      = google_pubsub_topic.undelivered.id
  labels                     = local.labels
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s" # 31 days, which is the most

  expiration_policy {
    ttl = ""
  }
}
