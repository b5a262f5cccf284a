# The build: the grants of its account, the bucket of its sources, and what triggers it.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project          = "example-project"
  region           = "europe-west1"
  subnetwork       = "default"
  aerospike_ranges = ["10.0.0.0/24"]
}

run "by_default" {
  command = plan

  # All grants of the account.
  assert {
    condition = [for grant in [
      google_artifact_registry_repository_iam_member.images_build,
      google_project_iam_member.build_logs,
      google_storage_bucket_iam_member.build_sources,
      google_cloud_run_v2_service_iam_member.ingest_build[0],
      google_service_account_iam_member.ingest_build[0],
      google_service_account_iam_member.connector_build[0],
      google_project_iam_member.rollout_build[0],
      ] : grant.role if grant.member == google_service_account.build.member] == [
      "roles/artifactregistry.writer",
      "roles/logging.logWriter",
      "roles/storage.objectViewer",
      "roles/run.developer",
      "roles/iam.serviceAccountUser",
      "roles/iam.serviceAccountUser",
      "projects/example-project/roles/aerosink_rollout",
    ]
    error_message = "The build's account has unexpected roles."
  }

  assert {
    condition = (google_artifact_registry_repository_iam_member.images_build.repository == google_artifact_registry_repository.images.id
      && google_storage_bucket_iam_member.build_sources.bucket == google_storage_bucket.build.name
      && google_cloud_run_v2_service_iam_member.ingest_build[0].name == "projects/example-project/locations/europe-west1/services/aerosink-ingest"
      && google_service_account_iam_member.ingest_build[0].service_account_id == google_service_account.ingest.name
    && google_service_account_iam_member.connector_build[0].service_account_id == google_service_account.connector.name)
    error_message = "A grant is on an unexpected resource."
  }

  assert {
    condition = google_project_iam_custom_role.rollout[0].permissions == toset([
      "compute.instanceGroupManagers.get", "compute.instanceGroupManagers.update", "compute.regionOperations.get",
    ])
    error_message = "The rollout role has unexpected permissions."
  }

  assert {
    condition = (google_storage_bucket.build.public_access_prevention == "enforced" && google_storage_bucket.build.uniform_bucket_level_access
    && google_storage_bucket.build.force_destroy && google_storage_bucket.build.soft_delete_policy[0].retention_duration_seconds == 0)
    error_message = "The bucket of sources can be made public, or keeps files."
  }

  # The name of a deleted role stays reserved for weeks, so it contains the ID of the account.
  assert {
    condition     = google_project_iam_custom_role.rollout[0].role_id == "aerosink_rollout_${google_service_account.build.unique_id}"
    error_message = "An apply after a destroy would fail, because the name of the role is reserved."
  }

  # The hash of no sources: terraform test sees only terraform/ of the clone.
  assert {
    condition     = terraform_data.build[0].triggers_replace[0] == local.sources_hash && can(regex("^clone-[0-9a-f]{12}$", local.sources_hash))
    error_message = "A change of the sources does not trigger a build."
  }
}

# cloudbuild.yaml requires provenance, and a build that cannot store it fails.
run "provenance" {
  command = plan

  assert {
    condition     = contains(keys(google_project_service.api), "containeranalysis.googleapis.com")
    error_message = "The API that stores provenance is not enabled."
  }
}

run "without_connectors" {
  command = plan

  variables {
    connector = null
  }

  assert {
    condition     = length(google_project_iam_custom_role.rollout) == 0 && length(google_project_iam_member.rollout_build) == 0 && length(google_service_account_iam_member.connector_build) == 0
    error_message = "The build has grants for connectors, but there are none."
  }
}
