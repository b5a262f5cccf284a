# Alerts. Each has a runbook of the same name in runbooks.

variable "alerts" {
  description = <<-EOT
    Alerts, their thresholds and who gets them:
    - `enabled`: whether to create alerts.
    - `channels`: notification channels, projects/PROJECT/notificationChannels/NUMBER. Without any, incidents appear only in the console.
    - `connectors`: number of connectors that this module does not create, for example on GKE; by default there are no alerts about those.
    - `lag_minutes`: 95th percentile of the age of changes at their delivery.
    - `retry_ratio`: share of changes that the database is asked to ship again.
    - `stall_minutes`: how long the database may ship without any change being delivered.
    - `certificate_days`, `token_minutes`: time left before certificates and tokens expire.
    - `error_ratio`: share of requests that the function answers with 429 or 5xx.
    - `instance_ratio`: share of ingest.max_instances that are busy.
    - `backlog_minutes`: age of the oldest message that a subscription has not acknowledged.
  EOT
  type = object({
    enabled          = optional(bool, true)
    channels         = optional(list(string), [])
    connectors       = optional(number, 0)
    lag_minutes      = optional(number, 5)
    retry_ratio      = optional(number, 0.1)
    stall_minutes    = optional(number, 10)
    certificate_days = optional(number, 14)
    token_minutes    = optional(number, 5)
    error_ratio      = optional(number, 0.05)
    instance_ratio   = optional(number, 0.8)
    backlog_minutes  = optional(number, 60)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for c in var.alerts.channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", c))])
    error_message = "alerts.channels must be projects/PROJECT/notificationChannels/NUMBER; gcloud beta monitoring channels list shows them."
  }

  validation {
    condition     = var.alerts.connectors >= 0 && floor(var.alerts.connectors) == var.alerts.connectors
    error_message = "alerts.connectors must be an integer, 0 or more."
  }

  validation {
    condition     = alltrue([for r in [var.alerts.retry_ratio, var.alerts.error_ratio, var.alerts.instance_ratio] : r > 0 && r < 1])
    error_message = "alerts.retry_ratio, error_ratio and instance_ratio must be between 0 and 1; 0.05 is 5 %."
  }

  validation {
    condition     = alltrue([for m in [var.alerts.lag_minutes, var.alerts.backlog_minutes] : m >= 1])
    error_message = "alerts.lag_minutes and backlog_minutes must be 1 or more; metrics arrive every 30 to 60 seconds."
  }

  validation {
    condition     = var.alerts.stall_minutes >= 2 && var.alerts.stall_minutes <= 1440 && floor(var.alerts.stall_minutes) == var.alerts.stall_minutes
    error_message = "alerts.stall_minutes must be an integer from 2 to 1440; metrics arrive every 30 seconds."
  }

  validation {
    condition     = var.alerts.certificate_days >= 1
    error_message = "alerts.certificate_days must be 1 or more; leave enough time to get another certificate."
  }

  # The connector renews a token when a fifth of its hour is left.
  validation {
    condition     = var.alerts.token_minutes >= 1 && var.alerts.token_minutes <= 11
    error_message = "alerts.token_minutes must be 1 to 11: a token lives for an hour and is renewed from 12 minutes before it expires."
  }
}

locals {
  alerts = { for name, alert in merge(local.connector_alerts, local.function_alerts, local.stream_alerts) : name => alert if var.alerts.enabled }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each = local.alerts

  project               = var.project
  display_name          = "${var.prefix}: ${each.value.title}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = var.alerts.channels
  user_labels           = local.labels

  conditions {
    display_name = each.value.title

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = "${each.value.minutes * 60}s"
      evaluation_interval = "60s"

      # Monitoring knows a metric only once it has arrived, so with validation the first
      # apply would fail.
      disable_metric_validation = true
    }
  }

  # Closes incidents whose metrics stop arriving: missing connectors have an alert of
  # their own.
  alert_strategy {
    auto_close = "3600s"
  }

  documentation {
    subject   = "${var.prefix}: ${each.value.title}"
    mime_type = "text/markdown"

    content = templatefile("${path.module}/runbooks/${each.key}.md", {
      project = var.project
      region  = var.region
      prefix  = var.prefix
      service = local.ingest_service
    })
  }

  # No alert about missing connectors while the first ones are being created, or
  # destroyed.
  depends_on = [google_project_service.api, google_compute_region_per_instance_config.connector]
}

# Alerts about the connectors, if there are any.

locals {
  # The number of connectors that send metrics.
  watched_connectors = var.connector == null ? var.alerts.connectors : var.connector.metrics ? var.connector.size : 0

  # Labels that the collector gives a connector's metrics.
  of_connectors = "job=\"${var.prefix}-connector\""

  connector_alerts = { for name, alert in {
    connector-absent = {
      title    = "connectors are missing"
      severity = "CRITICAL"
      minutes  = 5
      query    = "(sum(aerosink_connector_ready{${local.of_connectors}}) or vector(0)) < ${local.watched_connectors}"
    }
    connector-stalled = {
      title    = "the database ships changes, but none is delivered"
      severity = "CRITICAL"
      minutes  = 0
      query = join(" unless ", [for verdicts in ["retry|malformed", "delivered|skipped|dead"] :
        "sum(rate(aerosink_connector_changes_total{${local.of_connectors},verdict=~\"${verdicts}\"}[${var.alerts.stall_minutes}m])) > 0"
      ])
    }
    connector-lag = {
      title    = "changes are delivered late"
      severity = "ERROR"
      minutes  = 5
      query    = "max by (instance) (aerosink_connector_change_age_seconds{${local.of_connectors},quantile=\"0.95\"}) > ${var.alerts.lag_minutes * 60}"
    }
    connector-retries = {
      title    = "many changes have to be shipped again"
      severity = "WARNING"
      minutes  = 10
      query = join("", [
        "sum(rate(aerosink_connector_changes_total{${local.of_connectors},verdict=\"retry\"}[5m]))",
        " / sum(rate(aerosink_connector_changes_total{${local.of_connectors}}[5m])) > ${var.alerts.retry_ratio}",
      ])
    }
    connector-dead-letters = {
      title    = "the connector writes dead letters"
      severity = "ERROR"
      minutes  = 0
      query    = "sum by (instance) (increase(aerosink_connector_dead_letters_total{${local.of_connectors}}[10m])) > 0"
    }
    connector-certificate = {
      title    = "a certificate of the connector expires soon"
      severity = "ERROR"
      minutes  = 5
      query    = "min by (section) (aerosink_connector_certificate_expiry_timestamp_seconds{${local.of_connectors}}) - time() < ${var.alerts.certificate_days * 86400}"
    }

    # An idle destination keeps an expired token and needs no new one.
    connector-token = {
      title    = "the connector cannot get identity tokens"
      severity = "CRITICAL"
      minutes  = 0
      query = join("", [
        "min by (instance, destination) (aerosink_connector_token_expiry_timestamp_seconds{${local.of_connectors}}) - time() < ${var.alerts.token_minutes * 60}",
        " and sum by (instance, destination) (increase(aerosink_connector_token_refreshes_total{${local.of_connectors},status=\"error\"}[10m])) > 0",
      ])
    }
  } : name => alert if local.watched_connectors > 0 }
}

# Alerts about the function.

locals {
  # Labels of the function's own metrics, as the sidecar sets them, and of Cloud Run's.
  # Cloud Run's metrics exist for other kinds of resources too, so the kind is given.
  of_function = "namespace=\"${local.ingest_service}\""
  of_service  = "monitored_resource=\"cloud_run_revision\",service_name=\"${local.ingest_service}\""

  function_alerts = merge({
    function-errors = {
      title    = "the function does not accept requests"
      severity = "ERROR"
      minutes  = 10
      query = join("", [
        "sum(rate(run_googleapis_com:request_count{${local.of_service},response_code=~\"429|5..\"}[5m]))",
        " / sum(rate(run_googleapis_com:request_count{${local.of_service}}[5m])) > ${var.alerts.error_ratio}",
      ])
    }
    function-instances = {
      title    = "the function is close to its instance limit"
      severity = "WARNING"
      minutes  = 10
      query    = "sum(run_googleapis_com:container_instance_count{${local.of_service},state=\"active\"}) > ${var.alerts.instance_ratio * var.ingest.max_instances}"
    }
    function-dead-letters = {
      title    = "the function writes dead letters"
      severity = "ERROR"
      minutes  = 0
      query = local.has_metrics ? (
        "sum(increase(aerosink_function_dead_letters_total{${local.of_function}}[10m])) > 0"
        ) : (
        "sum(increase(logging_googleapis_com:user_${replace("${var.prefix}-dead-letters", "-", "_")}{monitored_resource=\"cloud_run_revision\"}[10m])) > 0"
      )
    }
    }, { for name, alert in {
      function-owed = {
        title    = "records wait for a retry that does not arrive"
        severity = "WARNING"
        minutes  = 10
        query    = "sum by (sink) (aerosink_pubsub_owed_records{${local.of_function}}) > 0"
      }
  } : name => alert if local.has_metrics })
}

# Alerts about messages in Pub/Sub that are not acknowledged.

locals {
  of_subscriptions = "monitored_resource=\"pubsub_subscription\",subscription_id"

  # By name, because another pipeline's may start with the same prefix.
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
      title    = "messages could not be delivered"
      severity = "ERROR"
      minutes  = 0
      query    = "max by (subscription_id) (pubsub_googleapis_com:subscription_num_undelivered_messages{${local.of_subscriptions}=\"${var.prefix}-undelivered\"}) > 0"
    }
  })
}
