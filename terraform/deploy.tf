# What cloudbuild.yaml deploys after a build, and the grants for just that: a new
# image for the service, and a new image for one connector after the other.

resource "google_cloud_run_v2_service_iam_member" "ingest_build" {
  count = local.is_function ? 0 : 1

  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_service.ingest[0].name
  role     = "roles/run.developer"
  member   = google_service_account.build.member
}

# Whoever says what runs as an account has to be let use it.
resource "google_service_account_iam_member" "ingest_build" {
  count = local.is_function ? 0 : 1

  service_account_id = google_service_account.ingest.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.build.member
}

resource "google_service_account_iam_member" "connector_build" {
  count = var.connector == null ? 0 : 1

  service_account_id = google_service_account.connector.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.build.member
}

# Groups of machines have no grants of their own, so that this one is on the project:
# a role with no more in it than the commands of cloudbuild.yaml ask for. The name of a
# deleted role is taken for 37 days, and the number of an account never comes again.
resource "google_project_iam_custom_role" "rollout" {
  count = var.connector == null ? 0 : 1

  project = var.project
  role_id = "${replace(var.prefix, "-", "_")}_rollout_${google_service_account.build.unique_id}"
  title   = "Aerosink: new images for the connectors"
  permissions = [
    "compute.instanceGroupManagers.get",
    "compute.instanceGroupManagers.update",
    "compute.regionOperations.get",
  ]
  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "rollout_build" {
  count = var.connector == null ? 0 : 1

  project = var.project
  role    = google_project_iam_custom_role.rollout[0].id
  member  = google_service_account.build.member
}
