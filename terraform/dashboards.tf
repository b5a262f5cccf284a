# Dashboards for operators. dashboards/*.grafana.json are the same for Grafana.

resource "google_monitoring_dashboard" "connector" {
  count = local.watched_connectors > 0 ? 1 : 0

  project = var.project

  # Decoded here, so that an error in the file fails the plan and not the apply.
  dashboard_json = jsonencode(jsondecode(templatefile("${path.module}/dashboards/connector.json.tftpl", { prefix = var.prefix })))
  depends_on     = [google_project_service.api]
}

resource "google_monitoring_dashboard" "function" {
  project = var.project

  dashboard_json = jsonencode(jsondecode(templatefile("${path.module}/dashboards/function.json.tftpl", {
    prefix  = var.prefix
    service = local.ingest_service
    metrics = local.has_metrics
  })))

  depends_on = [google_project_service.api]
}
