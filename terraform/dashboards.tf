# What an operator looks at. The same for Grafana are dashboards/*.grafana.json.

resource "google_monitoring_dashboard" "connector" {
  count = local.watched_connectors > 0 ? 1 : 0

  project = var.project

  # Decoded first: a fault in the file is one of the plan then, and not of the apply.
  dashboard_json = jsonencode(jsondecode(templatefile("${path.module}/dashboards/connector.json.tftpl", { prefix = var.prefix })))
  depends_on     = [google_project_service.api]
}

resource "google_monitoring_dashboard" "function" {
  project = var.project

  dashboard_json = jsonencode(jsondecode(templatefile("${path.module}/dashboards/function.json.tftpl", {
    prefix  = var.prefix
    service = local.ingest_service
    figures = local.has_metrics
  })))

  depends_on = [google_project_service.api]
}
