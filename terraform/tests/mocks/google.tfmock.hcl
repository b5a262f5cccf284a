# Values that the provider would compute. Each has the form that Google gives it, because
# the provider checks some of them where another resource uses them, and our own files
# take some apart. A test in Go holds that none is missing.

mock_data "google_storage_project_service_account" {
  defaults = {
    email_address = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
  }
}

mock_data "google_compute_subnetwork" {
  defaults = {
    network                  = "https://www.googleapis.com/compute/v1/projects/example-project/global/networks/default"
    private_ip_google_access = true
  }
}

mock_data "google_artifact_registry_docker_image" {
  defaults = {
    self_link = "europe-west1-docker.pkg.dev/example-project/aerosink/image@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }
}

# Where a resource is in a module, or nothing below names it.

mock_resource "google_service_account" {
  defaults = {
    id        = "projects/example-project/serviceAccounts/aerosink-account@example-project.iam.gserviceaccount.com"
    name      = "projects/example-project/serviceAccounts/aerosink-account@example-project.iam.gserviceaccount.com"
    email     = "aerosink-account@example-project.iam.gserviceaccount.com"
    member    = "serviceAccount:aerosink-account@example-project.iam.gserviceaccount.com"
    unique_id = "100000000000000000001"
  }
}

mock_resource "google_artifact_registry_repository" {
  defaults = {
    id   = "projects/example-project/locations/europe-west1/repositories/aerosink"
    name = "aerosink"
  }
}

mock_resource "google_bigquery_dataset" {
  defaults = {
    id = "projects/example-project/datasets/aerosink"
  }
}

mock_resource "google_bigquery_table" {
  defaults = {
    id            = "projects/example-project/datasets/aerosink/tables/records"
    creation_time = 1795350896789
    location      = "europe-west1"
  }
}

mock_resource "google_cloud_run_v2_service" {
  defaults = {
    id  = "projects/example-project/locations/europe-west1/services/aerosink-ingest"
    uri = "https://aerosink-ingest-abcdefghij-ew.a.run.app"
  }
}

mock_resource "google_cloudfunctions2_function" {
  defaults = {
    id             = "projects/example-project/locations/europe-west1/functions/aerosink-function"
    service_config = { uri = "https://aerosink-function-abcdefghij-ew.a.run.app" }
  }
}

mock_resource "google_compute_address" {
  defaults = {
    id        = "projects/example-project/regions/europe-west1/addresses/address"
    address   = "10.0.0.10"
    self_link = "https://www.googleapis.com/compute/v1/projects/example-project/regions/europe-west1/addresses/address"
  }
}

mock_resource "google_compute_health_check" {
  defaults = {
    id = "projects/example-project/global/healthChecks/aerosink-connector-alive"
  }
}

mock_resource "google_compute_instance_template" {
  defaults = {
    self_link_unique = "https://www.googleapis.com/compute/v1/projects/example-project/global/instanceTemplates/aerosink-connector-1?uniqueId=1"
  }
}

mock_resource "google_compute_region_backend_service" {
  defaults = {
    id = "projects/example-project/regions/europe-west1/backendServices/aerosink-connector"
  }
}

mock_resource "google_compute_region_health_check" {
  defaults = {
    id = "projects/example-project/regions/europe-west1/healthChecks/aerosink-connector-ready"
  }
}

mock_resource "google_compute_region_instance_group_manager" {
  defaults = {
    id             = "projects/example-project/regions/europe-west1/instanceGroupManagers/aerosink-connector"
    instance_group = "https://www.googleapis.com/compute/v1/projects/example-project/regions/europe-west1/instanceGroups/aerosink-connector"
  }
}

mock_resource "google_monitoring_dashboard" {
  defaults = {
    id = "projects/123456789012/dashboards/1"
  }
}

mock_resource "google_project_iam_custom_role" {
  defaults = {
    id = "projects/example-project/roles/aerosink_rollout"
  }
}

mock_resource "google_pubsub_schema" {
  defaults = {
    id = "projects/example-project/schemas/aerosink-changes-avro"
  }
}

mock_resource "google_pubsub_subscription" {
  defaults = {
    id = "projects/example-project/subscriptions/aerosink-changes"
  }
}

mock_resource "google_pubsub_topic" {
  defaults = {
    id = "projects/example-project/topics/aerosink-changes"
  }
}

mock_resource "google_secret_manager_secret" {
  defaults = {
    id = "projects/example-project/secrets/aerosink-collector"
  }
}

mock_resource "google_secret_manager_secret_version" {
  defaults = {
    version = "1"
  }
}

mock_resource "google_storage_bucket" {
  defaults = {
    id = "example-project-aerosink-archive"
  }
}

# Resources of one kind that tests tell apart.

override_resource {
  target = google_service_account.bigquery_writer
  values = {
    id        = "projects/example-project/serviceAccounts/aerosink-bigquery@example-project.iam.gserviceaccount.com"
    name      = "projects/example-project/serviceAccounts/aerosink-bigquery@example-project.iam.gserviceaccount.com"
    email     = "aerosink-bigquery@example-project.iam.gserviceaccount.com"
    member    = "serviceAccount:aerosink-bigquery@example-project.iam.gserviceaccount.com"
    unique_id = "100000000000000000001"
  }
}

override_resource {
  target = google_service_account.build
  values = {
    id        = "projects/example-project/serviceAccounts/aerosink-build@example-project.iam.gserviceaccount.com"
    name      = "projects/example-project/serviceAccounts/aerosink-build@example-project.iam.gserviceaccount.com"
    email     = "aerosink-build@example-project.iam.gserviceaccount.com"
    member    = "serviceAccount:aerosink-build@example-project.iam.gserviceaccount.com"
    unique_id = "100000000000000000001"
  }
}

override_resource {
  target = google_service_account.connector
  values = {
    id        = "projects/example-project/serviceAccounts/aerosink-connector@example-project.iam.gserviceaccount.com"
    name      = "projects/example-project/serviceAccounts/aerosink-connector@example-project.iam.gserviceaccount.com"
    email     = "aerosink-connector@example-project.iam.gserviceaccount.com"
    member    = "serviceAccount:aerosink-connector@example-project.iam.gserviceaccount.com"
    unique_id = "100000000000000000001"
  }
}

override_resource {
  target = google_service_account.function
  values = {
    id        = "projects/example-project/serviceAccounts/aerosink-function@example-project.iam.gserviceaccount.com"
    name      = "projects/example-project/serviceAccounts/aerosink-function@example-project.iam.gserviceaccount.com"
    email     = "aerosink-function@example-project.iam.gserviceaccount.com"
    member    = "serviceAccount:aerosink-function@example-project.iam.gserviceaccount.com"
    unique_id = "100000000000000000001"
  }
}

override_resource {
  target = google_service_account.ingest
  values = {
    id        = "projects/example-project/serviceAccounts/aerosink-ingest@example-project.iam.gserviceaccount.com"
    name      = "projects/example-project/serviceAccounts/aerosink-ingest@example-project.iam.gserviceaccount.com"
    email     = "aerosink-ingest@example-project.iam.gserviceaccount.com"
    member    = "serviceAccount:aerosink-ingest@example-project.iam.gserviceaccount.com"
    unique_id = "100000000000000000001"
  }
}

override_resource {
  target = google_service_account.storage_writer
  values = {
    id        = "projects/example-project/serviceAccounts/aerosink-storage@example-project.iam.gserviceaccount.com"
    name      = "projects/example-project/serviceAccounts/aerosink-storage@example-project.iam.gserviceaccount.com"
    email     = "aerosink-storage@example-project.iam.gserviceaccount.com"
    member    = "serviceAccount:aerosink-storage@example-project.iam.gserviceaccount.com"
    unique_id = "100000000000000000001"
  }
}

override_resource {
  target = google_pubsub_topic.bigquery
  values = { id = "projects/example-project/topics/aerosink-bigquery" }
}

override_resource {
  target = google_pubsub_topic.undelivered
  values = { id = "projects/example-project/topics/aerosink-undelivered" }
}

override_resource {
  target = google_pubsub_subscription.bigquery
  values = { id = "projects/example-project/subscriptions/aerosink-bigquery" }
}

override_resource {
  target = google_pubsub_subscription.storage
  values = { id = "projects/example-project/subscriptions/aerosink-storage" }
}

override_resource {
  target = google_pubsub_subscription.undelivered
  values = { id = "projects/example-project/subscriptions/aerosink-undelivered" }
}

override_resource {
  target = google_storage_bucket.build
  values = { id = "example-project-aerosink-build" }
}

override_resource {
  target = google_storage_bucket.dead_letters
  values = { id = "example-project-aerosink-dead-letters" }
}

override_resource {
  target = google_storage_bucket.function
  values = { id = "example-project-aerosink-function" }
}

override_resource {
  target = google_storage_bucket.messages
  values = { id = "example-project-aerosink-messages" }
}
