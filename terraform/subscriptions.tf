# Subscriptions of the topic of changes.

resource "google_pubsub_subscription" "changes" {
  for_each = var.changes.subscriptions

  project                      = var.project
  name                         = "${var.prefix}-${each.key}"
  topic                        = google_pubsub_topic.changes.id
  labels                       = local.labels
  filter                       = each.value.filter
  enable_message_ordering      = coalesce(each.value.ordering, var.changes.ordering > 0)
  enable_exactly_once_delivery = each.value.exactly_once
  ack_deadline_seconds         = each.value.ack_deadline
  message_retention_duration   = "${each.value.retention_days * 86400}s"
  deletion_policy              = local.deletion_policy

  # Otherwise a subscription that nobody reads for 31 days is deleted.
  expiration_policy {
    ttl = ""
  }

  # Otherwise a refused message is redelivered at once.
  retry_policy {
    minimum_backoff = "${each.value.backoff_seconds.least}s"
    maximum_backoff = "${each.value.backoff_seconds.most}s"
  }

  dynamic "dead_letter_policy" {
    for_each = each.value.attempts == 0 ? [] : [each.value.attempts]

    content {
      dead_letter_topic     = google_pubsub_topic.undelivered.id
      max_delivery_attempts = dead_letter_policy.value
    }
  }
}

resource "google_pubsub_subscription_iam_member" "changes_reader" {
  for_each = merge([for name, s in var.changes.subscriptions : {
    for member in s.subscribers : "${name} ${member}" => { name = name, member = member }
  }]...)

  project      = var.project
  subscription = google_pubsub_subscription.changes[each.value.name].id
  role         = "roles/pubsub.subscriber"
  member       = each.value.member
}

# Pub/Sub removes a message from the subscription once it has published it to the topic of
# undelivered messages. Without this grant the message is redelivered for ever.
resource "google_pubsub_subscription_iam_member" "changes_agent" {
  for_each = { for name, s in var.changes.subscriptions : name => s if s.attempts > 0 }

  project      = var.project
  subscription = google_pubsub_subscription.changes[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

# Undelivered messages: those that a subscriber, or the table or bucket that Pub/Sub writes
# to, has refused too often. They have a topic, and a subscription that keeps them.

# No schema: it would refuse messages that are here because of one.
resource "google_pubsub_topic" "undelivered" {
  project         = var.project
  name            = "${var.prefix}-undelivered"
  labels          = local.labels
  kms_key_name    = var.kms_key
  deletion_policy = local.deletion_policy

  message_storage_policy {
    allowed_persistence_regions = local.message_regions
    enforce_in_transit          = var.changes.enforce_in_transit
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agents]
}

resource "google_pubsub_topic_iam_member" "undelivered_agent" {
  project = var.project
  topic   = google_pubsub_topic.undelivered.id
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
  message_retention_duration = "2678400s" # 31 days, the maximum
  deletion_policy            = local.deletion_policy

  expiration_policy {
    ttl = ""
  }
}
