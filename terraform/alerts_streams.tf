# Alerts about what Pub/Sub has and nobody takes.

locals {
  of_subscriptions = "monitored_resource=\"pubsub_subscription\",subscription_id"

  # By name: another pipeline's may begin with the same prefix.
  watched_subscriptions = concat(
    keys(var.changes.subscriptions),
    var.storage_subscription == null ? [] : ["storage"],
    var.bigquery == null ? [] : ["bigquery"],
  )

  stream_alerts = merge({ for name, alert in {
    subscription-backlog = {
      title    = "a subscription is behind"
      severity = "WARNING"
      minutes  = 5
      query = join("", [
        "max by (subscription_id) (pubsub_googleapis_com:subscription_oldest_unacked_message_age{",
        "${local.of_subscriptions}=~\"${var.prefix}-(${join("|", local.watched_subscriptions)})\"}) > ${var.alerts.backlog_minutes * 60}",
      ])
    }
    } : name => alert if length(local.watched_subscriptions) > 0 }, {
    subscription-undelivered = {
      title    = "messages were given up"
      severity = "ERROR"
      minutes  = 0
      query    = "max by (subscription_id) (pubsub_googleapis_com:subscription_num_undelivered_messages{${local.of_subscriptions}=\"${var.prefix}-undelivered\"}) > 0"
    }
  })
}
