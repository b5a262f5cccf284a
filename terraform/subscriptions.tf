# Who reads the topic of changes.

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

  # Without it a subscription that nobody reads for 31 days is deleted.
  expiration_policy {
    ttl = ""
  }

  # Without it a message that is refused comes again at once.
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
  subscription = google_pubsub_subscription.changes[each.value.name].name
  role         = "roles/pubsub.subscriber"
  member       = each.value.member
}

# Pub/Sub takes a message off the subscription when it has brought it to the topic of
# undelivered ones. Where it may not, the message comes for ever.
resource "google_pubsub_subscription_iam_member" "changes_agent" {
  for_each = { for name, s in var.changes.subscriptions : name => s if s.attempts > 0 }

  project      = var.project
  subscription = google_pubsub_subscription.changes[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}
