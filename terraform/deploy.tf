# Grants for what cloudbuild.yaml deploys after a build, and no more: a new image for the
# service, and a new image for one connector after another.

resource "google_cloud_run_v2_service_iam_member" "ingest_build" {
  count = local.is_function ? 0 : local.builds

  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_service.ingest[0].id
  role     = "roles/run.developer"
  member   = google_service_account.build[0].member
}

# Deploying something that runs as an account requires permission to use the account.
resource "google_service_account_iam_member" "ingest_build" {
  count = local.is_function ? 0 : local.builds

  service_account_id = google_service_account.ingest.id
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.build[0].member
}

resource "google_service_account_iam_member" "connector_build" {
  count = var.connector == null ? 0 : local.builds

  service_account_id = google_service_account.connector.id
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.build[0].member
}

# Instance groups have no grants of their own, so this one is on the project: a role with
# only what the commands of cloudbuild.yaml need. The name of a deleted role stays
# reserved for 37 days, so it contains the account's number, which is never reused.
resource "google_project_iam_custom_role" "rollout" {
  count = var.connector == null ? 0 : local.builds

  project = var.project
  role_id = "${replace(var.prefix, "-", "_")}_rollout_${google_service_account.build[0].unique_id}"
  title   = "Aerosink: new images for the connectors"
  permissions = [
    "compute.instanceGroupManagers.get",
    "compute.instanceGroupManagers.update",
    "compute.regionOperations.get",
  ]
  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "rollout_build" {
  count = var.connector == null ? 0 : local.builds

  project = var.project
  role    = google_project_iam_custom_role.rollout[0].id
  member  = google_service_account.build[0].member
}
