# Images: where they are kept and for how long, who reads them, and which ones run.

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

run "made_of_this_clone" {
  command = plan

  assert {
    condition     = length(terraform_data.build) == 1
    error_message = "Nothing makes the images."
  }

  assert {
    condition     = { for name, image in data.google_artifact_registry_docker_image.image : name => image.image_name } == { connector = "connector:latest", sink = "sink:latest" }
    error_message = "What runs is not what the last build has made."
  }

  assert {
    condition     = google_artifact_registry_repository.images.repository_id == "aerosink" && google_artifact_registry_repository.images.format == "DOCKER"
    error_message = "The images are not where cloudbuild.yaml pushes them."
  }

  assert {
    condition     = google_artifact_registry_repository.images.docker_config[0].immutable_tags == false
    error_message = "The second build could not move latest."
  }

  assert {
    condition = { for p in google_artifact_registry_repository.images.cleanup_policies : p.id => p.action } == {
      delete-old  = "DELETE"
      keep-latest = "KEEP"
      keep-recent = "KEEP"
    }
    error_message = "Images are kept for ever, or not even the one that runs is."
  }

  assert {
    condition     = google_artifact_registry_repository.images.cleanup_policy_dry_run == false
    error_message = "Nothing is cleaned up."
  }

  assert {
    condition = (google_artifact_registry_repository_iam_member.images_connector.role == "roles/artifactregistry.reader"
      && google_artifact_registry_repository_iam_member.images_connector.repository == google_artifact_registry_repository.images.repository_id
    && google_artifact_registry_repository_iam_member.images_connector.member == google_service_account.connector.member)
    error_message = "The connectors' machines cannot read their image, or can do more."
  }
}

run "made_elsewhere" {
  command = plan

  variables {
    images = {
      connector = "registry.example.com:5000/aerosink/connector@sha256:1111111111111111111111111111111111111111111111111111111111111111"
      sink      = "europe-west1-docker.pkg.dev/example-project/aerosink/sink:v1.2.3@sha256:2222222222222222222222222222222222222222222222222222222222222222"
    }
  }

  assert {
    condition     = length(terraform_data.build) == 0 && length(data.google_artifact_registry_docker_image.image) == 0
    error_message = "Images are made though there are some."
  }

  assert {
    condition     = local.images == var.images
    error_message = "Other images are run than those that were named."
  }
}
