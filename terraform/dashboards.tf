# Dashboards for operators. dashboards/*.grafana.json are the same for Grafana.

resource "google_monitoring_dashboard" "connector" {
  count = local.watched_connectors > 0 ? 1 : 0

  project = var.project

  # Decoded here, so that an error in the file fails the plan and not the apply.
  dashboard_json = jsonencode(jsondecode(templatefile("${path.module}/dashboards/connector.json.tftpl", { prefix = var.prefix })))
  depends_on     = [google_project_service.api]
}

# This dashboard also guards everything else: it is created last and so deleted first, and
# where it may not be deleted, a destroy ends before it has deleted anything. A module
# block that is removed ends in the same way, since the policy is in the state.
resource "google_monitoring_dashboard" "function" {
  project         = var.project
  deletion_policy = local.deletion_policy

  dashboard_json = jsonencode(jsondecode(templatefile("${path.module}/dashboards/function.json.tftpl", {
    prefix  = var.prefix
    service = local.ingest_service
    metrics = local.has_metrics
  })))

  # All that nothing else depends on; a test holds the list.
  depends_on = [
    google_bigquery_job.staleness,
    google_bigquery_table_iam_member.records_readers,
    google_cloud_run_v2_service_iam_member.ingest_build,
    google_cloud_run_v2_service_iam_member.ingest_connector,
    google_cloudfunctions2_function_iam_member.ingest_connector,
    google_compute_firewall.connector_denied,
    google_compute_firewall.connector_health,
    google_compute_firewall.connector_xdr,
    google_compute_forwarding_rule.connector,
    google_logging_metric.dead_letters,
    google_logging_project_exclusion.requests,
    google_monitoring_alert_policy.alert,
    google_monitoring_dashboard.connector,
    google_project_iam_member.metrics_ingest,
    google_project_iam_member.rollout_build,
    google_pubsub_subscription.undelivered,
    google_pubsub_subscription_iam_member.bigquery_agent,
    google_pubsub_subscription_iam_member.changes_agent,
    google_pubsub_subscription_iam_member.changes_reader,
    google_pubsub_subscription_iam_member.storage_agent,
    google_pubsub_topic_iam_member.bigquery_ingest,
    google_pubsub_topic_iam_member.undelivered_agent,
    google_service_account_iam_member.connector_build,
    google_service_account_iam_member.ingest_build,
  ]
}
