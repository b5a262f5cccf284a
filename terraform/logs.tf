# Logs that are not kept, and a metric from logs.

variable "request_logs" {
  description = "Whether Cloud Logging keeps a line for each successful request. With one change per request these cost more than the function."
  type        = bool
  default     = false
  nullable    = false
}

# An exclusion of the project's _Default sink. Errors are kept, and Cloud Run counts all
# requests anyway.
resource "google_logging_project_exclusion" "requests" {
  count = var.request_logs ? 0 : 1

  project = var.project
  name    = "${var.prefix}-requests"

  filter = join(" AND ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=\"${local.ingest_service}\"",
    "resource.labels.location=\"${var.region}\"",
    "log_id(\"run.googleapis.com/requests\")",
    "httpRequest.status<400",
  ])

  depends_on = [google_project_service.api]
}

# Without the function's own metrics, its dead letters are counted from the log: one line
# for each request that had some.
resource "google_logging_metric" "dead_letters" {
  count = local.has_metrics ? 0 : 1

  project = var.project
  name    = "${var.prefix}-dead-letters"

  filter = join(" AND ", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=\"${local.ingest_service}\"",
    "jsonPayload.message=\"changes in the dead letters\"",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }

  depends_on = [google_project_service.api]
}
