# The function as a Cloud Run service: ingress, callers, environment, resources, and the
# collector beside it.

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

run "by_default" {
  command = plan

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "Only internal requests may reach the service."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].invoker_iam_disabled == false
    error_message = "The service must require an identity."
  }

  assert {
    condition = (length(google_cloud_run_v2_service_iam_member.ingest_connector) == 1
      && google_cloud_run_v2_service_iam_member.ingest_connector[0].name == "aerosink-ingest"
      && google_cloud_run_v2_service_iam_member.ingest_connector[0].role == "roles/run.invoker"
    && google_cloud_run_v2_service_iam_member.ingest_connector[0].member == google_service_account.connector.member)
    error_message = "Only the connector's account must be able to call the service."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].custom_audiences == tolist([local.audience]) && local.audience == "https://aerosink.ingest"
    error_message = "The service must accept the audience of the connector's tokens."
  }

  assert {
    condition     = local.ingest_url == "https://aerosink-ingest-abcdefghij-ew.a.run.app" && local.ingest_service == google_cloud_run_v2_service.ingest[0].name
    error_message = "Unexpected URL or name of the service."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].deletion_protection
    error_message = "The service must be protected from deletion."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].service_account == google_service_account.ingest.email
    error_message = "The service does not run as its account."
  }

  assert {
    condition     = [for s in google_cloud_run_v2_service.ingest[0].template[0].scaling : [s.min_instance_count, s.max_instance_count]] == [[1, 20]]
    error_message = "The service must have 1 to 20 instances."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].max_instance_request_concurrency == 80 && google_cloud_run_v2_service.ingest[0].template[0].timeout == "60s"
    error_message = "Unexpected concurrency or timeout."
  }

  assert {
    condition     = length(google_cloud_run_v2_service.ingest[0].template[0].vpc_access) == 0
    error_message = "The service must have no access to the VPC network."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[0].image == var.images.sink
    error_message = "The image must be the given one, with its digest."
  }

  assert {
    condition     = [for p in google_cloud_run_v2_service.ingest[0].template[0].containers[0].ports : [p.name, tostring(p.container_port)]] == [["h2c", "8080"]]
    error_message = "The front end must use HTTP/2 to the container."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[0].resources[0].limits == tomap({ cpu = "1", memory = "512Mi" })
    error_message = "The size of an instance must be the one in the README."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[0].resources[0].cpu_idle == true && google_cloud_run_v2_service.ingest[0].template[0].containers[0].resources[0].startup_cpu_boost
    error_message = "Instances must be billed for requests only, and have the CPU boost at startup."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[0].startup_probe[0].tcp_socket[0].port == 8080
    error_message = "The startup probe must wait for the port."
  }

  assert {
    condition = { for e in google_cloud_run_v2_service.ingest[0].template[0].containers[0].env : e.name => e.value } == {
      SINKS        = join(",", local.sinks)
      DEAD_LETTERS = local.dead_letters
    }
    error_message = "The environment must have only the sinks and the dead letters."
  }

  assert {
    condition     = length(google_cloud_run_v2_service.ingest[0].template[0].containers[0].volume_mounts) == 0
    error_message = "The container must have no mounts."
  }

  assert {
    condition     = [for c in google_cloud_run_v2_service.ingest[0].template[0].containers : c.name] == ["sink"] && length(google_cloud_run_v2_service.ingest[0].template[0].volumes) == 0
    error_message = "There must be one container and no volumes."
  }

  assert {
    condition     = !contains(keys(local.environment), "METRICS_PORT")
    error_message = "The function must not serve metrics without a collector."
  }

  assert {
    condition     = length(google_secret_manager_secret.collector) == 0 && length(google_project_iam_member.metrics_ingest) == 0 && length(google_secret_manager_secret_iam_member.collector_ingest) == 0
    error_message = "There must be no secret and no grants for metrics."
  }
}

run "collector" {
  command = plan

  variables {
    ingest = { metrics = true }
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[0].resources[0].cpu_idle == false
    error_message = "The function needs the processor between requests, for metrics."
  }

  assert {
    condition     = local.environment.METRICS_PORT == "9090"
    error_message = "The function must serve metrics."
  }

  assert {
    condition     = [for c in google_cloud_run_v2_service.ingest[0].template[0].containers : c.name] == ["sink", "collector"]
    error_message = "The collector must be the second container."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[1].depends_on == tolist(["sink"])
    error_message = "The collector must start after the function."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[1].resources[0].cpu_idle == false
    error_message = "The collector needs the processor between requests."
  }

  assert {
    condition     = [for m in google_cloud_run_v2_service.ingest[0].template[0].containers[1].volume_mounts : m.mount_path] == ["/etc/rungmp"]
    error_message = "The collector's configuration is not mounted where it looks."
  }

  assert {
    condition     = [for i in google_cloud_run_v2_service.ingest[0].template[0].volumes[0].secret[0].items : [i.path, i.version]] == [["config.yaml", "1"]]
    error_message = "The configuration must be a fixed version of its secret."
  }

  assert {
    condition     = yamldecode(google_secret_manager_secret_version.collector[0].secret_data).spec.endpoints[0].port == tonumber(local.environment.METRICS_PORT)
    error_message = "The collector must scrape the function's metrics port."
  }

  assert {
    condition     = google_secret_manager_secret_iam_member.collector_ingest[0].role == "roles/secretmanager.secretAccessor" && google_secret_manager_secret_iam_member.collector_ingest[0].member == google_service_account.ingest.member
    error_message = "The function's account must be able to read the configuration."
  }

  assert {
    condition     = google_project_iam_member.metrics_ingest[0].role == "roles/monitoring.metricWriter" && google_project_iam_member.metrics_ingest[0].member == google_service_account.ingest.member
    error_message = "The function's account must be able to write metrics."
  }
}

run "all_options" {
  command = plan

  variables {
    deletion_protection = false
    ingest = {
      ingress       = "internal-and-load-balancer"
      min_instances = 3
      max_instances = 50
      concurrency   = 200
      cpu           = 4
      memory        = 4096
      metrics       = true
      collector     = { image = "example.com/collector:2.0", cpu = 0.25, memory = 256 }
    }
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].ingress == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" && !google_cloud_run_v2_service.ingest[0].deletion_protection
    error_message = "Ingress or protection do not have the given values."
  }

  assert {
    condition     = [for s in google_cloud_run_v2_service.ingest[0].template[0].scaling : [s.min_instance_count, s.max_instance_count]] == [[3, 50]] && google_cloud_run_v2_service.ingest[0].template[0].max_instance_request_concurrency == 200
    error_message = "Instances or concurrency do not have the given values."
  }

  assert {
    condition     = [for c in google_cloud_run_v2_service.ingest[0].template[0].containers : c.resources[0].limits] == [tomap({ cpu = "4", memory = "4096Mi" }), tomap({ cpu = "0.25", memory = "256Mi" })]
    error_message = "CPU or memory do not have the given values."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[1].image == "example.com/collector:2.0"
    error_message = "The collector does not have the given image."
  }
}

run "shared_vpc" {
  command = plan

  variables {
    subnetwork = "projects/example-host/regions/europe-west1/subnetworks/shared"
  }

  assert {
    condition     = [for v in google_cloud_run_v2_service.ingest[0].template[0].vpc_access : [v.egress, v.network_interfaces[0].subnetwork]] == [["PRIVATE_RANGES_ONLY", var.subnetwork]]
    error_message = "The service must have an interface in the shared subnetwork, or requests from there are not internal."
  }

  assert {
    condition     = google_compute_subnetwork_iam_member.ingest[var.subnetwork].role == "roles/compute.networkUser" && google_compute_subnetwork_iam_member.ingest[var.subnetwork].member == "serviceAccount:service-123456789012@serverless-robot-prod.iam.gserviceaccount.com"
    error_message = "Cloud Run must be able to use the subnetwork."
  }
}

run "own_network_by_full_name" {
  command = plan

  variables {
    subnetwork = "projects/example-project/regions/europe-west1/subnetworks/default"
  }

  assert {
    condition     = length(google_cloud_run_v2_service.ingest[0].template[0].vpc_access) == 0 && length(google_compute_subnetwork_iam_member.ingest) == 0
    error_message = "The service must have no access to the VPC network."
  }
}

run "with_a_key" {
  command = plan

  variables {
    kms_key = "projects/keys/locations/europe-west1/keyRings/ring/cryptoKeys/key"
    ingest  = { metrics = true }
  }

  assert {
    condition     = google_secret_manager_secret.collector[0].replication[0].user_managed[0].replicas[0].customer_managed_encryption[0].kms_key_name == var.kms_key
    error_message = "The secret does not use the key."
  }
}
