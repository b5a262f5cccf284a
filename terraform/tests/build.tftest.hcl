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
      google_artifact_registry_repository_iam_member.images_build[0],
      google_project_iam_member.build_logs[0],
      google_storage_bucket_iam_member.build_sources[0],
      google_cloud_run_v2_service_iam_member.ingest_build[0],
      google_service_account_iam_member.ingest_build[0],
      google_service_account_iam_member.connector_build[0],
      google_project_iam_member.rollout_build[0],
      ] : grant.role if grant.member == google_service_account.build[0].member] == [
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
    condition = (google_artifact_registry_repository_iam_member.images_build[0].repository == google_artifact_registry_repository.images.id
      && google_storage_bucket_iam_member.build_sources[0].bucket == google_storage_bucket.build[0].name
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
    condition = (google_storage_bucket.build[0].public_access_prevention == "enforced" && google_storage_bucket.build[0].uniform_bucket_level_access
    && google_storage_bucket.build[0].force_destroy && google_storage_bucket.build[0].soft_delete_policy[0].retention_duration_seconds == 0)
    error_message = "The bucket of sources can be made public, or keeps files."
  }

  # The name of a deleted role stays reserved for weeks, so it contains the ID of the account.
  assert {
    condition     = google_project_iam_custom_role.rollout[0].role_id == "aerosink_rollout_${google_service_account.build[0].unique_id}"
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

# Nothing that could deploy something else than the images given, and nothing that costs.
run "given_images" {
  command = plan

  variables {
    images = {
      connector = "example.com/connector@sha256:1111111111111111111111111111111111111111111111111111111111111111"
      sink      = "example.com/sink@sha256:2222222222222222222222222222222222222222222222222222222222222222"
    }
  }

  assert {
    condition = 0 == sum([for all in [
      google_service_account.build,
      google_storage_bucket.build,
      google_artifact_registry_repository_iam_member.images_build,
      google_project_iam_member.build_logs,
      google_storage_bucket_iam_member.build_sources,
      google_cloud_run_v2_service_iam_member.ingest_build,
      google_service_account_iam_member.ingest_build,
      google_service_account_iam_member.connector_build,
      google_project_iam_custom_role.rollout,
      google_project_iam_member.rollout_build,
      terraform_data.build,
    ] : length(all)])
    error_message = "There is an account, a bucket or a grant for builds, but none is built here."
  }

  assert {
    condition     = output.build_account == null && length(setintersection(keys(google_project_service.api), ["cloudbuild.googleapis.com", "containeranalysis.googleapis.com"])) == 0
    error_message = "Cloud Build is enabled, but nothing is built here."
  }
}

# Google builds the function with Cloud Build.
run "given_images_and_a_function" {
  command = plan

  variables {
    ingest = { function_source = "./tests/build.tftest.hcl" }
    images = {
      connector = "example.com/connector@sha256:1111111111111111111111111111111111111111111111111111111111111111"
      sink      = "example.com/sink@sha256:2222222222222222222222222222222222222222222222222222222222222222"
    }
  }

  assert {
    condition     = contains(keys(google_project_service.api), "cloudbuild.googleapis.com")
    error_message = "Cloud Build is not enabled, but Google builds the function with it."
  }
}

# A location policy may allow the region and nothing else, global included.
run "region" {
  command = plan

  assert {
    condition     = local.build_region == "europe-west1"
    error_message = "The build must run in the region."
  }
}

run "region_of_its_own" {
  command = plan

  variables {
    build_region = "global"
  }

  assert {
    condition     = local.build_region == "global"
    error_message = "The build does not run where it should."
  }
}

run "region_of_a_pool" {
  command = plan

  variables {
    build_worker_pool = "projects/builds/locations/us-east1/workerPools/own"
  }

  assert {
    condition     = local.build_region == "us-east1"
    error_message = "The build must run in the region of its pool."
  }
}
