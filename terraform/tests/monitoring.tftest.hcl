# Alerts, dashboards, and which logs are kept.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project          = "example-project"
  region           = "europe-west1"
  subnetwork       = "default"
  aerospike_ranges = ["10.0.0.0/24"]
  images = {
    connector = "europe-west1-docker.pkg.dev/example-project/aerosink/connector@sha256:0000000000000000000000000000000000000000000000000000000000000001"
    sink      = "europe-west1-docker.pkg.dev/example-project/aerosink/sink@sha256:0000000000000000000000000000000000000000000000000000000000000002"
  }
}

run "all_metrics" {
  command = plan

  variables {
    ingest = { metrics = true }
  }

  assert {
    condition = toset(keys(google_monitoring_alert_policy.alert)) == toset([
      "connector-absent", "connector-certificate", "connector-dead-letters", "connector-lag", "connector-retries", "connector-stalled", "connector-token",
      "function-dead-letters", "function-errors", "function-instances", "function-owed",
      "subscription-backlog", "subscription-undelivered",
    ])
    error_message = "The alerts must be those with a runbook."
  }

  assert {
    condition     = alltrue([for a in values(google_monitoring_alert_policy.alert) : startswith(a.documentation[0].content, "## What it means") && a.documentation[0].mime_type == "text/markdown" && length(a.documentation[0].content) <= 8192])
    error_message = "An alert's documentation is not its runbook, or is longer than Cloud Monitoring allows."
  }

  assert {
    condition     = alltrue([for a in values(google_monitoring_alert_policy.alert) : contains(["CRITICAL", "ERROR", "WARNING"], a.severity) && startswith(a.display_name, "aerosink: ") && a.documentation[0].subject == a.display_name])
    error_message = "An alert has no severity, or its name does not begin with the prefix."
  }

  assert {
    condition     = alltrue([for a in values(google_monitoring_alert_policy.alert) : a.alert_strategy[0].auto_close == "3600s" && length(a.conditions) == 1])
    error_message = "An incident must close when its metrics stop arriving."
  }

  assert {
    condition     = alltrue([for a in values(google_monitoring_alert_policy.alert) : a.conditions[0].condition_prometheus_query_language[0].disable_metric_validation])
    error_message = "The first apply would fail, because the metrics do not exist yet."
  }

  assert {
    condition     = alltrue([for a in values(google_monitoring_alert_policy.alert) : tonumber(trimsuffix(a.conditions[0].condition_prometheus_query_language[0].duration, "s")) % 60 == 0 && a.conditions[0].condition_prometheus_query_language[0].evaluation_interval == "60s"])
    error_message = "A duration must be a multiple of the evaluation interval."
  }

  assert {
    condition     = alltrue([for a in values(google_monitoring_alert_policy.alert) : strcontains(a.conditions[0].condition_prometheus_query_language[0].query, "aerosink")])
    error_message = "A query must select this pipeline only."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.alert["connector-stalled"].documentation[0].content, "--project=example-project") && !anytrue([for a in values(google_monitoring_alert_policy.alert) : strcontains(a.documentation[0].content, "$${")])
    error_message = "A runbook has placeholders that were not replaced."
  }

  assert {
    condition     = length(google_monitoring_dashboard.connector) == 1 && jsondecode(google_monitoring_dashboard.connector[0].dashboard_json).displayName == "Aerosink: connector (aerosink)" && jsondecode(google_monitoring_dashboard.function.dashboard_json).displayName == "Aerosink: function (aerosink)"
    error_message = "A dashboard is missing."
  }

  assert {
    condition     = !strcontains(google_monitoring_dashboard.function.dashboard_json, "ingest.metrics")
    error_message = "The dashboard must not say that metrics are missing."
  }

  assert {
    condition = google_logging_project_exclusion.requests[0].filter == join(" AND ", [
      "resource.type=\"cloud_run_revision\"", "resource.labels.service_name=\"aerosink-ingest\"", "resource.labels.location=\"europe-west1\"",
      "log_id(\"run.googleapis.com/requests\")", "httpRequest.status<400",
    ])
    error_message = "The exclusion must match only this service's successful requests."
  }

  assert {
    condition     = length(google_logging_metric.dead_letters) == 0
    error_message = "Dead letters must not be counted from the log too."
  }
}

run "thresholds" {
  command = plan

  variables {
    alerts = {
      channels         = ["projects/example-project/notificationChannels/1"]
      lag_minutes      = 7
      retry_ratio      = 0.25
      stall_minutes    = 15
      certificate_days = 30
      token_minutes    = 3
      error_ratio      = 0.5
      instance_ratio   = 0.5
      backlog_minutes  = 20
    }
    ingest               = { max_instances = 40 }
    changes              = { subscriptions = { orders = {}, billing = {} } }
    storage_subscription = {}
    bigquery             = {}
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.alert["subscription-backlog"].conditions[0].condition_prometheus_query_language[0].query, "subscription_id=~\"aerosink-(billing|orders|storage|bigquery)\"}")
    error_message = "The alert must watch exactly this pipeline's subscriptions."
  }

  assert {
    condition     = alltrue([for a in values(google_monitoring_alert_policy.alert) : tolist(a.notification_channels) == tolist(["projects/example-project/notificationChannels/1"])])
    error_message = "An alert does not notify the channels."
  }

  assert {
    condition = alltrue([for name, end in {
      connector-lag      = "> 420", connector-retries = "> 0.25", connector-certificate = "< 2592000", function-errors = "> 0.5",
      function-instances = "> 20", subscription-backlog = "> 1200", connector-absent = "< 3"
    } : endswith(google_monitoring_alert_policy.alert[name].conditions[0].condition_prometheus_query_language[0].query, end)])
    error_message = "A threshold does not have the given value."
  }

  assert {
    condition     = length(regexall("\\[15m\\]", google_monitoring_alert_policy.alert["connector-stalled"].conditions[0].condition_prometheus_query_language[0].query)) == 2 && strcontains(google_monitoring_alert_policy.alert["connector-token"].conditions[0].condition_prometheus_query_language[0].query, "< 180 and")
    error_message = "A duration does not have the given value."
  }
}

run "no_connectors" {
  command = plan

  variables {
    connector = null
  }

  assert {
    condition     = length([for name in keys(google_monitoring_alert_policy.alert) : name if startswith(name, "connector-")]) == 0 && length(google_monitoring_alert_policy.alert) == 5
    error_message = "There must be no alerts about connectors."
  }

  assert {
    condition     = length(google_monitoring_dashboard.connector) == 0 && length(output.dashboards) == 1
    error_message = "There must be no dashboard of connectors."
  }
}

run "external_connectors" {
  command = plan

  variables {
    connector = null
    alerts    = { connectors = 4 }
  }

  assert {
    condition     = endswith(google_monitoring_alert_policy.alert["connector-absent"].conditions[0].condition_prometheus_query_language[0].query, "or vector(0)) < 4")
    error_message = "The alert about missing connectors must expect four."
  }

  assert {
    condition     = length(google_monitoring_dashboard.connector) == 1
    error_message = "There must be a dashboard of connectors."
  }
}

run "no_connector_metrics" {
  command = plan

  variables {
    connector = { metrics = false }
  }

  assert {
    condition     = length([for name in keys(google_monitoring_alert_policy.alert) : name if startswith(name, "connector-")]) == 0
    error_message = "There must be no alerts on metrics that are not collected."
  }
}

run "no_function_metrics" {
  command = plan

  assert {
    condition     = toset([for name in keys(google_monitoring_alert_policy.alert) : name if startswith(name, "function-")]) == toset(["function-dead-letters", "function-errors", "function-instances"])
    error_message = "The alerts about the function must be those that do not need its own metrics."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.alert["function-dead-letters"].conditions[0].condition_prometheus_query_language[0].query, "logging_googleapis_com:user_aerosink_dead_letters{") && google_logging_metric.dead_letters[0].name == "aerosink-dead-letters"
    error_message = "Dead letters must be counted from the log."
  }

  assert {
    condition     = strcontains(google_monitoring_dashboard.function.dashboard_json, "need ingest.metrics.")
    error_message = "The dashboard must say which metrics are missing."
  }
}

run "no_alerts" {
  command = plan

  variables {
    alerts = { enabled = false }
  }

  assert {
    condition     = length(google_monitoring_alert_policy.alert) == 0
    error_message = "There must be no alerts."
  }
}

run "request_logs_without_subscriptions" {
  command = plan

  variables {
    request_logs = true
    changes      = { subscriptions = {} }
  }

  assert {
    condition     = !contains(keys(google_monitoring_alert_policy.alert), "subscription-backlog") && contains(keys(google_monitoring_alert_policy.alert), "subscription-undelivered")
    error_message = "The only alert about subscriptions must be that on undelivered messages."
  }

  assert {
    condition     = length(google_logging_project_exclusion.requests) == 0
    error_message = "Request logs must be kept."
  }
}
