# Alerts about the connectors, where there are some.

locals {
  # How many there are whose figures come.
  watched_connectors = var.connector == null ? var.alerts.connectors : var.connector.metrics ? var.connector.size : 0

  # Of a connector's figures, as its collector labels them.
  of_connectors = "job=\"${var.prefix}-connector\""

  connector_alerts = { for name, alert in {
    connector-absent = {
      title    = "connectors are missing"
      severity = "CRITICAL"
      minutes  = 5
      query    = "(sum(aerosink_connector_ready{${local.of_connectors}}) or vector(0)) < ${local.watched_connectors}"
    }
    connector-stalled = {
      title    = "the database ships, and nothing gets through"
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
      title    = "the database has to ship many changes again"
      severity = "WARNING"
      minutes  = 10
      query = join("", [
        "sum(rate(aerosink_connector_changes_total{${local.of_connectors},verdict=\"retry\"}[5m]))",
        " / sum(rate(aerosink_connector_changes_total{${local.of_connectors}}[5m])) > ${var.alerts.retry_ratio}",
      ])
    }
    connector-dead-letters = {
      title    = "the connector sets changes aside"
      severity = "ERROR"
      minutes  = 0
      query    = "sum by (instance) (increase(aerosink_connector_dead_letters_total{${local.of_connectors}}[10m])) > 0"
    }
    connector-certificate = {
      title    = "a certificate of the connector ends soon"
      severity = "ERROR"
      minutes  = 5
      query    = "min by (section) (aerosink_connector_certificate_expiry_timestamp_seconds{${local.of_connectors}}) - time() < ${var.alerts.certificate_days * 86400}"
    }

    # A destination that nothing goes to keeps a token that has ended, and needs none.
    connector-token = {
      title    = "the connector gets no identity tokens"
      severity = "CRITICAL"
      minutes  = 0
      query = join("", [
        "min by (instance, destination) (aerosink_connector_token_expiry_timestamp_seconds{${local.of_connectors}}) - time() < ${var.alerts.token_minutes * 60}",
        " and sum by (instance, destination) (increase(aerosink_connector_token_refreshes_total{${local.of_connectors},status=\"error\"}[10m])) > 0",
      ])
    }
  } : name => alert if local.watched_connectors > 0 }
}
