# Values that a provider would compute, where our files or the provider's validation need a
# certain form.

mock_data "google_storage_project_service_account" {
  defaults = {
    email_address = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.ingest
  values = {
    email  = "aerosink-ingest@example-project.iam.gserviceaccount.com"
    member = "serviceAccount:aerosink-ingest@example-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.connector
  values = {
    email  = "aerosink-connector@example-project.iam.gserviceaccount.com"
    member = "serviceAccount:aerosink-connector@example-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_pubsub_topic.changes
  values = { id = "projects/example-project/topics/aerosink-changes" }
}

override_resource {
  target = google_pubsub_topic.undelivered
  values = { id = "projects/example-project/topics/aerosink-undelivered" }
}

mock_resource "google_cloud_run_v2_service" {
  defaults = {
    uri = "https://aerosink-ingest-abcdefghij-ew.a.run.app"
  }
}

mock_resource "google_cloudfunctions2_function" {
  defaults = {
    service_config = {
      uri = "https://aerosink-function-abcdefghij-ew.a.run.app"
    }
  }
}

mock_resource "google_secret_manager_secret_version" {
  defaults = {
    version = "1"
  }
}

override_resource {
  target = google_service_account.build
  values = {
    name   = "projects/example-project/serviceAccounts/aerosink-build@example-project.iam.gserviceaccount.com"
    member = "serviceAccount:aerosink-build@example-project.iam.gserviceaccount.com"
  }
}

mock_data "google_compute_subnetwork" {
  defaults = {
    private_ip_google_access = true
  }
}

mock_resource "google_compute_address" {
  defaults = {
    address = "10.0.0.10"
  }
}
