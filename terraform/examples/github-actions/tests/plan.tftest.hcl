# Who may act as which account.

mock_provider "google" {
  source          = "../../tests/mocks"
  override_during = plan

  mock_resource "google_iam_workload_identity_pool" {
    defaults = { name = "projects/123456789012/locations/global/workloadIdentityPools/aerosink-github" }
  }

  mock_resource "google_iam_workload_identity_pool_provider" {
    defaults = { name = "projects/123456789012/locations/global/workloadIdentityPools/aerosink-github/providers/actions" }
  }

  override_resource {
    target = module.aerosink.google_artifact_registry_repository.images
    values = { name = "aerosink" }
  }

  override_resource {
    target = google_service_account.github
    values = {
      id        = "projects/example-project/serviceAccounts/aerosink-github@example-project.iam.gserviceaccount.com"
      email     = "aerosink-github@example-project.iam.gserviceaccount.com"
      member    = "serviceAccount:aerosink-github@example-project.iam.gserviceaccount.com"
      unique_id = "123"
    }
  }

  override_resource {
    target = google_project_iam_custom_role.github
    values = { id = "projects/example-project/roles/aerosink_github_123" }
  }

  override_resource {
    target = module.aerosink.google_service_account.build
    values = {
      name   = "projects/example-project/serviceAccounts/aerosink-build@example-project.iam.gserviceaccount.com"
      member = "serviceAccount:aerosink-build@example-project.iam.gserviceaccount.com"
    }
  }
}

variables {
  project          = "example-project"
  region           = "europe-west1"
  subnetwork       = "default"
  aerospike_ranges = ["10.0.0.0/24"]
  repository_id    = "123456"
}

run "one_branch_of_one_repository" {
  command = plan

  assert {
    condition     = google_iam_workload_identity_pool_provider.github.attribute_condition == "assertion.repository_id == \"123456\" && assertion.ref == \"refs/heads/main\""
    error_message = "Other repositories or branches could deploy."
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.github.oidc[0].issuer_uri == "https://token.actions.githubusercontent.com"
    error_message = "Only GitHub Actions may issue tokens."
  }

  assert {
    condition = (google_service_account_iam_member.github.role == "roles/iam.workloadIdentityUser"
      && google_service_account_iam_member.github.service_account_id == google_service_account.github.id
    && google_service_account_iam_member.github.member == "principalSet://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/aerosink-github/attribute.repository_id/123456")
    error_message = "Exactly the repository must be able to act as the account."
  }
}

run "starts_builds_only" {
  command = plan

  assert {
    condition     = google_project_iam_custom_role.github.permissions == toset(["cloudbuild.builds.create", "cloudbuild.builds.get", "serviceusage.services.use"])
    error_message = "The role has other permissions than to start a build and wait for it."
  }

  assert {
    condition     = google_project_iam_member.github_builds.role == google_project_iam_custom_role.github.id && google_project_iam_member.github_builds.member == google_service_account.github.member
    error_message = "The account does not have the role."
  }

  assert {
    condition = (google_service_account_iam_member.github_build.service_account_id == module.aerosink.build_account
      && google_service_account_iam_member.github_build.role == "roles/iam.serviceAccountUser"
    && google_service_account_iam_member.github_build.member == google_service_account.github.member)
    error_message = "The account must be able to run builds as the build's account, and as no other."
  }

  assert {
    condition = alltrue([for role, grant in google_storage_bucket_iam_member.github_sources :
      grant.bucket == module.aerosink.build_bucket && grant.member == google_service_account.github.member && contains(["roles/storage.legacyBucketReader", "roles/storage.objectCreator"], grant.role)
    ])
    error_message = "The account must be able to add sources to the build's bucket."
  }
}

run "variables" {
  command = plan

  variables {
    branch = "release"
  }

  assert {
    condition     = output.github_variables == <<-EOT
      AEROSINK_PROJECT=example-project
      AEROSINK_REGION=europe-west1
      AEROSINK_REPOSITORY=aerosink
      AEROSINK_BUILD_ACCOUNT=projects/example-project/serviceAccounts/aerosink-build@example-project.iam.gserviceaccount.com
      AEROSINK_BUILD_BUCKET=example-project-aerosink-build
      AEROSINK_IDENTITY_PROVIDER=projects/123456789012/locations/global/workloadIdentityPools/aerosink-github/providers/actions
      AEROSINK_DEPLOY_ACCOUNT=aerosink-github@example-project.iam.gserviceaccount.com
    EOT
    error_message = "Unexpected variables for GitHub."
  }

  assert {
    condition     = endswith(google_iam_workload_identity_pool_provider.github.attribute_condition, "\"refs/heads/release\"")
    error_message = "The branch is not the given one."
  }
}
