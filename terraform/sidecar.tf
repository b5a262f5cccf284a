# The second container of the service, which takes the function's figures to Managed
# Service for Prometheus.

resource "google_project_iam_member" "metrics_ingest" {
  count = local.has_metrics ? 1 : 0

  project = var.project
  role    = "roles/monitoring.metricWriter"
  member  = google_service_account.ingest.member
}

# Its configuration is a secret because Cloud Run mounts no other files; there is
# nothing secret in it.
resource "google_secret_manager_secret" "collector" {
  count = local.has_metrics ? 1 : 0

  project   = var.project
  secret_id = "${var.prefix}-collector"
  labels    = local.labels
  replication {
    user_managed {
      replicas {
        location = var.region
        dynamic "customer_managed_encryption" {
          for_each = var.kms_key[*]
          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agents]
}

resource "google_secret_manager_secret_version" "collector" {
  count = local.has_metrics ? 1 : 0

  secret      = google_secret_manager_secret.collector[0].id
  secret_data = file("${path.module}/templates/run-monitoring.yaml")

  # Instances that start meanwhile still mount the one before.
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_secret_manager_secret_iam_member" "collector_ingest" {
  count = local.has_metrics ? 1 : 0

  project   = var.project
  secret_id = google_secret_manager_secret.collector[0].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.ingest.member
}
