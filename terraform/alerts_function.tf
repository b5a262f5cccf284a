# Alerts about the function.

locals {
  # Of the function's own figures, as the sidecar labels them, and of Cloud Run's. Cloud
  # Run has the latter of other kinds of resource as well, so the kind has to be said.
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
      title    = "the function has nearly all instances that it may have"
      severity = "WARNING"
      minutes  = 10
      query    = "sum(run_googleapis_com:container_instance_count{${local.of_service},state=\"active\"}) > ${var.alerts.instance_ratio * var.ingest.max_instances}"
    }
    function-dead-letters = {
      title    = "the function sets changes aside"
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
        title    = "records wait for a change that does not come again"
        severity = "WARNING"
        minutes  = 10
        query    = "sum by (sink) (aerosink_pubsub_owed_records{${local.of_function}}) > 0"
      }
  } : name => alert if local.has_metrics })
}
