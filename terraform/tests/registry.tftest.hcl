# Images: their repository, how long they are kept, who reads them, and which ones run.

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

run "built_from_clone" {
  command = plan

  assert {
    condition     = length(terraform_data.build) == 1
    error_message = "There must be a build."
  }

  assert {
    condition     = { for name, image in data.google_artifact_registry_docker_image.image : name => image.image_name } == { connector = "connector:latest", sink = "sink:latest" }
    error_message = "The images that run must be those of the last build."
  }

  assert {
    condition     = google_artifact_registry_repository.images.repository_id == "aerosink" && google_artifact_registry_repository.images.format == "DOCKER"
    error_message = "The repository is not the one that cloudbuild.yaml pushes to."
  }

  # Tags can be moved unless they are made immutable, and a block that says so is never
  # sent to Google, so that each plan would differ.
  assert {
    condition     = length(google_artifact_registry_repository.images.docker_config) == 0
    error_message = "Tags must be mutable, or a second build could not move latest."
  }

  assert {
    condition = { for p in google_artifact_registry_repository.images.cleanup_policies : p.id => p.action } == {
      delete-old    = "DELETE"
      keep-deployed = "KEEP"
      keep-recent   = "KEEP"
    }
    error_message = "The cleanup must delete old images but keep the running and recent ones."
  }

  assert {
    condition     = google_artifact_registry_repository.images.cleanup_policy_dry_run == false
    error_message = "The cleanup is only a dry run."
  }

  assert {
    condition = (google_artifact_registry_repository_iam_member.images_connector.role == "roles/artifactregistry.reader"
      && google_artifact_registry_repository_iam_member.images_connector.repository == google_artifact_registry_repository.images.id
    && google_artifact_registry_repository_iam_member.images_connector.member == google_service_account.connector.member)
    error_message = "The connectors' account needs roles/artifactregistry.reader on the repository."
  }
}

run "given_images" {
  command = plan

  variables {
    images = {
      connector = "registry.example.com:5000/aerosink/connector@sha256:1111111111111111111111111111111111111111111111111111111111111111"
      sink      = "europe-west1-docker.pkg.dev/example-project/aerosink/sink:v1.2.3@sha256:2222222222222222222222222222222222222222222222222222222222222222"
    }
  }

  assert {
    condition     = length(terraform_data.build) == 0 && length(data.google_artifact_registry_docker_image.image) == 0
    error_message = "There must be no build if images are given."
  }

  assert {
    condition     = local.images == var.images
    error_message = "The images that run must be the given ones."
  }
}
