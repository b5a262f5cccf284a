# The function as Google builds it.

mock_provider "google" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  project          = "example-project"
  region           = "europe-west1"
  subnetwork       = "default"
  aerospike_ranges = ["10.0.0.0/24"]
  images = {
    connector = "europe-west1-docker.pkg.dev/example-project/aerosink/connector@sha256:0000000000000000000000000000000000000000000000000000000000000001"
    sink      = "europe-west1-docker.pkg.dev/example-project/aerosink/sink@sha256:0000000000000000000000000000000000000000000000000000000000000002"
  }
}

run "from_zip" {
  command = plan

  variables {
    ingest = { function_source = "./versions.tf", min_instances = 2, max_instances = 9, concurrency = 40, cpu = 2, memory = 1024 } # any file
  }

  assert {
    condition     = length(google_cloud_run_v2_service.ingest) == 0 && length(google_secret_manager_secret.collector) == 0 && length(google_project_iam_member.metrics_ingest) == 0
    error_message = "There must be no service and no collector beside the function."
  }

  assert {
    condition     = google_cloudfunctions2_function.ingest[0].service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "Only internal requests may reach the function."
  }

  assert {
    condition = (google_cloud_run_v2_service_iam_member.ingest_connector[0].name == google_cloudfunctions2_function.ingest[0].name
      && google_cloud_run_v2_service_iam_member.ingest_connector[0].role == "roles/run.invoker"
    && google_cloud_run_v2_service_iam_member.ingest_connector[0].member == google_service_account.connector.member)
    error_message = "The connector's account must be able to call the service behind the function."
  }

  assert {
    condition = (google_cloudfunctions2_function_iam_member.ingest_connector[0].cloud_function == google_cloudfunctions2_function.ingest[0].id
      && google_cloudfunctions2_function_iam_member.ingest_connector[0].role == "roles/cloudfunctions.invoker"
    && google_cloudfunctions2_function_iam_member.ingest_connector[0].member == google_service_account.connector.member)
    error_message = "The connector's account must be able to call the function."
  }

  assert {
    condition     = local.audience == local.ingest_url && local.ingest_url == "https://aerosink-function-abcdefghij-ew.a.run.app" && local.ingest_service == "aerosink-function"
    error_message = "The audience must be the function's URL."
  }

  assert {
    condition     = google_cloudfunctions2_function.ingest[0].build_config[0].runtime == "go126" && google_cloudfunctions2_function.ingest[0].build_config[0].entry_point == "Receive"
    error_message = "Unexpected runtime or entry point."
  }

  assert {
    condition     = google_cloudfunctions2_function.ingest[0].build_config[0].source[0].storage_source[0].object == "${filesha256("./versions.tf")}.zip"
    error_message = "The name of the object must change with the sources, or they would not be built."
  }

  assert {
    condition     = google_cloudfunctions2_function.ingest[0].service_config[0].environment_variables == tomap({ SINKS = join(",", local.sinks), DEAD_LETTERS = local.dead_letters })
    error_message = "The environment must have only the sinks and the dead letters."
  }

  assert {
    condition = [for c in google_cloudfunctions2_function.ingest[0].service_config : [c.min_instance_count, c.max_instance_count, c.max_instance_request_concurrency, c.available_cpu, c.available_memory]] == [
      [2, 9, 40, "2", "1024Mi"]
    ]
    error_message = "Unexpected number or size of instances."
  }

  assert {
    condition     = google_cloudfunctions2_function.ingest[0].service_config[0].service_account_email == google_service_account.ingest.email
    error_message = "The function does not run as its account."
  }

  assert {
    condition     = google_storage_bucket.function[0].uniform_bucket_level_access && google_storage_bucket.function[0].public_access_prevention == "enforced"
    error_message = "The bucket of sources can be made public."
  }

  assert {
    condition     = contains(keys(google_project_service.api), "cloudfunctions.googleapis.com")
    error_message = "The API of Cloud Functions is not enabled."
  }
}

run "build_account" {
  command = plan

  variables {
    ingest = { function_source = "./versions.tf" }
  }

  assert {
    condition     = google_cloudfunctions2_function.ingest[0].build_config[0].service_account == google_service_account.function[0].id
    error_message = "The build must run as its own account."
  }

  assert {
    condition     = google_project_iam_member.logs_function[0].role == "roles/logging.logWriter" && google_project_iam_member.logs_function[0].member == google_service_account.function[0].member
    error_message = "The build needs roles/logging.logWriter."
  }

  assert {
    condition = (google_project_iam_member.source_function[0].role == "roles/storage.objectViewer"
      && google_project_iam_member.source_function[0].member == google_service_account.function[0].member
    && google_project_iam_member.source_function[0].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-123456789012-europe-west1\")")
    error_message = "The build must be able to read the bucket of sources only."
  }

  assert {
    condition = (google_artifact_registry_repository_iam_member.images_function[0].repository == google_artifact_registry_repository.images.id
      && google_artifact_registry_repository_iam_member.images_function[0].role == "roles/artifactregistry.writer"
    && google_artifact_registry_repository_iam_member.images_function[0].member == google_service_account.function[0].member)
    error_message = "The build must be able to write to the image repository."
  }
}

run "shared_vpc" {
  command = plan

  variables {
    subnetwork = "projects/example-host/regions/europe-west1/subnetworks/shared"
    ingest     = { function_source = "./versions.tf" }
  }

  assert {
    condition     = [for n in google_cloudfunctions2_function.ingest[0].service_config[0].direct_vpc_network_interface : n.subnetwork] == [var.subnetwork] && google_cloudfunctions2_function.ingest[0].service_config[0].direct_vpc_egress == "VPC_EGRESS_PRIVATE_RANGES_ONLY"
    error_message = "The function must have an interface in the shared subnetwork, or requests from there are not internal."
  }
}

run "with_a_key" {
  command = plan

  variables {
    kms_key = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"
    ingest  = { function_source = "./versions.tf" }
  }

  assert {
    condition     = google_storage_bucket.function[0].encryption[0].default_kms_key_name == var.kms_key
    error_message = "The bucket of sources does not use the key."
  }
}

run "not_by_default" {
  command = plan

  assert {
    condition     = length(google_cloudfunctions2_function.ingest) == 0 && length(google_service_account.function) == 0 && length(google_storage_bucket.function) == 0 && !contains(keys(google_project_service.api), "cloudfunctions.googleapis.com")
    error_message = "There must be no function beside the service."
  }
}
