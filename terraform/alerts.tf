# What somebody is told of. Each alert has its runbook, by its name, in runbooks.

variable "alerts" {
  description = <<-EOT
    Who is told what, and when:
    - `enabled`: whether there are alerts at all.
    - `channels`: notification channels, projects/PROJECT/notificationChannels/NUMBER. Without any, incidents are seen by who looks at the console.
    - `connectors`: how many connectors there are that are not made here, as on GKE; by default there are no alerts about those.
    - `lag_minutes`: age of changes at their delivery, of which one in twenty may be older.
    - `retry_ratio`: share of changes that the database is asked to ship again.
    - `stall_minutes`: for how long nothing may get through while the database ships.
    - `certificate_days`, `token_minutes`: left before certificates and tokens end.
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
    error_message = "alerts.channels are projects/PROJECT/notificationChannels/NUMBER; gcloud beta monitoring channels list shows them."
  }

  validation {
    condition     = var.alerts.connectors >= 0 && floor(var.alerts.connectors) == var.alerts.connectors
    error_message = "alerts.connectors is a number of connectors, 0 and above."
  }

  validation {
    condition     = alltrue([for r in [var.alerts.retry_ratio, var.alerts.error_ratio, var.alerts.instance_ratio] : r > 0 && r < 1])
    error_message = "alerts.retry_ratio, error_ratio and instance_ratio are shares between 0 and 1: 0.05 is a twentieth."
  }

  validation {
    condition     = alltrue([for m in [var.alerts.lag_minutes, var.alerts.backlog_minutes] : m >= 1])
    error_message = "alerts.lag_minutes and backlog_minutes are 1 or more; figures come once in 30 to 60 seconds."
  }

  validation {
    condition     = var.alerts.stall_minutes >= 2 && var.alerts.stall_minutes <= 1440 && floor(var.alerts.stall_minutes) == var.alerts.stall_minutes
    error_message = "alerts.stall_minutes is a whole number from 2 to 1440; figures come once in 30 seconds."
  }

  validation {
    condition     = var.alerts.certificate_days >= 1
    error_message = "alerts.certificate_days is 1 or more, enough to have another certificate issued."
  }

  # The connector asks for another token when a fifth of the old one's hour is left.
  validation {
    condition     = var.alerts.token_minutes >= 1 && var.alerts.token_minutes <= 11
    error_message = "alerts.token_minutes is 1 to 11: a token lives for an hour, and is asked for anew from 12 minutes before its end."
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

      # A figure exists for Monitoring once it has come. With the check, the first apply
      # would be refused.
      disable_metric_validation = true
    }
  }

  # Closes what is open when its figures stop coming: the connectors' absence is an
  # alert of its own.
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

  # Nobody is told that connectors are missing while the first of them are being made,
  # or taken down.
  depends_on = [google_project_service.api, google_compute_region_per_instance_config.connector]
}
