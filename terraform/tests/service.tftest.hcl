# The function as a service of Cloud Run: who reaches it, who is let in, what it is
# given, and what runs beside it.

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
    error_message = "Others than the project's networks reach the service."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].invoker_iam_disabled == false
    error_message = "The service lets in who has no identity."
  }

  assert {
    condition = (length(google_cloud_run_v2_service_iam_member.ingest_connector) == 1
      && google_cloud_run_v2_service_iam_member.ingest_connector[0].name == "aerosink-ingest"
      && google_cloud_run_v2_service_iam_member.ingest_connector[0].role == "roles/run.invoker"
    && google_cloud_run_v2_service_iam_member.ingest_connector[0].member == google_service_account.connector.member)
    error_message = "Not the connector's account, and none else, may bring changes."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].custom_audiences == tolist([local.audience]) && local.audience == "https://aerosink.ingest"
    error_message = "The service does not know the audience that the connector's tokens have."
  }

  assert {
    condition     = local.ingest_url == "https://aerosink-ingest-abcdefghij-ew.a.run.app" && local.ingest_service == google_cloud_run_v2_service.ingest[0].name
    error_message = "The URL or the name is not the service's."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].deletion_protection
    error_message = "terraform destroy would take what changes come in by."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].service_account == google_service_account.ingest.email
    error_message = "The service runs as somebody else."
  }

  assert {
    condition     = [for s in google_cloud_run_v2_service.ingest[0].template[0].scaling : [s.min_instance_count, s.max_instance_count]] == [[1, 20]]
    error_message = "Not 1 to 20 instances."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].max_instance_request_concurrency == 80 && google_cloud_run_v2_service.ingest[0].template[0].timeout == "60s"
    error_message = "Not 80 requests at once, of 60 s."
  }

  assert {
    condition     = length(google_cloud_run_v2_service.ingest[0].template[0].vpc_access) == 0
    error_message = "The service has a way into the network that it needs not."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[0].image == var.images.sink
    error_message = "The image is not the one with the digest."
  }

  assert {
    condition     = [for p in google_cloud_run_v2_service.ingest[0].template[0].containers[0].ports : [p.name, tostring(p.container_port)]] == [["h2c", "8080"]]
    error_message = "The front end does not speak HTTP/2 to the server."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[0].resources[0].limits == tomap({ cpu = "1", memory = "512Mi" })
    error_message = "An instance is not of the size that README reckons with."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[0].resources[0].cpu_idle == true && google_cloud_run_v2_service.ingest[0].template[0].containers[0].resources[0].startup_cpu_boost
    error_message = "Instances are billed between requests, or slow at the start."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[0].startup_probe[0].tcp_socket[0].port == 8080
    error_message = "Requests come before the port is open."
  }

  assert {
    condition = { for e in google_cloud_run_v2_service.ingest[0].template[0].containers[0].env : e.name => e.value } == {
      SINKS        = join(",", local.sinks)
      DEAD_LETTERS = local.dead_letters
    }
    error_message = "The function is told something else than where to store."
  }

  assert {
    condition     = length(google_cloud_run_v2_service.ingest[0].template[0].containers[0].volume_mounts) == 0
    error_message = "The function is given files."
  }

  assert {
    condition     = [for c in google_cloud_run_v2_service.ingest[0].template[0].containers : c.name] == ["sink"] && length(google_cloud_run_v2_service.ingest[0].template[0].volumes) == 0
    error_message = "There is a container beside the function, or a volume."
  }

  assert {
    condition     = !contains(keys(local.environment), "METRICS_PORT")
    error_message = "The function shows figures at which nobody looks."
  }

  assert {
    condition     = length(google_secret_manager_secret.collector) == 0 && length(google_project_iam_member.metrics_ingest) == 0 && length(google_secret_manager_secret_iam_member.collector_ingest) == 0
    error_message = "The function's account may do more than store."
  }
}

run "the_collector" {
  command = plan

  variables {
    ingest = { metrics = true }
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[0].resources[0].cpu_idle == false
    error_message = "The processor is taken away between requests, when figures are asked for."
  }

  assert {
    condition     = local.environment.METRICS_PORT == "9090"
    error_message = "The function shows no figures."
  }

  assert {
    condition     = [for c in google_cloud_run_v2_service.ingest[0].template[0].containers : c.name] == ["sink", "collector"]
    error_message = "There is not one container beside the function."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[1].depends_on == tolist(["sink"])
    error_message = "The collector starts before there is something to collect."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[1].resources[0].cpu_idle == false
    error_message = "The collector has no processor between requests."
  }

  assert {
    condition     = [for m in google_cloud_run_v2_service.ingest[0].template[0].containers[1].volume_mounts : m.mount_path] == ["/etc/rungmp"]
    error_message = "The collector finds no configuration."
  }

  assert {
    condition     = [for i in google_cloud_run_v2_service.ingest[0].template[0].volumes[0].secret[0].items : [i.path, i.version]] == [["config.yaml", "1"]]
    error_message = "The configuration is not one version of its secret."
  }

  assert {
    condition     = yamldecode(google_secret_manager_secret_version.collector[0].secret_data).spec.endpoints[0].port == tonumber(local.environment.METRICS_PORT)
    error_message = "The collector asks on another port than the function answers on."
  }

  assert {
    condition     = google_secret_manager_secret_iam_member.collector_ingest[0].role == "roles/secretmanager.secretAccessor" && google_secret_manager_secret_iam_member.collector_ingest[0].member == google_service_account.ingest.member
    error_message = "The function's account cannot read the configuration."
  }

  assert {
    condition     = google_project_iam_member.metrics_ingest[0].role == "roles/monitoring.metricWriter" && google_project_iam_member.metrics_ingest[0].member == google_service_account.ingest.member
    error_message = "The function's account cannot write figures."
  }
}

run "every_choice" {
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
    error_message = "The service is not what was chosen."
  }

  assert {
    condition     = [for s in google_cloud_run_v2_service.ingest[0].template[0].scaling : [s.min_instance_count, s.max_instance_count]] == [[3, 50]] && google_cloud_run_v2_service.ingest[0].template[0].max_instance_request_concurrency == 200
    error_message = "Instances are not as many, or do not take as much, as was chosen."
  }

  assert {
    condition     = [for c in google_cloud_run_v2_service.ingest[0].template[0].containers : c.resources[0].limits] == [tomap({ cpu = "4", memory = "4096Mi" }), tomap({ cpu = "0.25", memory = "256Mi" })]
    error_message = "Instances are not of the size that was chosen."
  }

  assert {
    condition     = google_cloud_run_v2_service.ingest[0].template[0].containers[1].image == "example.com/collector:2.0"
    error_message = "The collector is another."
  }
}

run "in_a_shared_network" {
  command = plan

  variables {
    subnetwork = "projects/example-host/regions/europe-west1/subnetworks/shared"
  }

  assert {
    condition     = [for v in google_cloud_run_v2_service.ingest[0].template[0].vpc_access : [v.egress, v.network_interfaces[0].subnetwork]] == [["PRIVATE_RANGES_ONLY", var.subnetwork]]
    error_message = "The connectors' requests are not internal ones."
  }

  assert {
    condition     = google_compute_subnetwork_iam_member.ingest[var.subnetwork].role == "roles/compute.networkUser" && google_compute_subnetwork_iam_member.ingest[var.subnetwork].member == "serviceAccount:service-123456789012@serverless-robot-prod.iam.gserviceaccount.com"
    error_message = "Cloud Run may not use the subnetwork."
  }
}

run "in_a_network_of_its_own_by_its_full_name" {
  command = plan

  variables {
    subnetwork = "projects/example-project/regions/europe-west1/subnetworks/default"
  }

  assert {
    condition     = length(google_cloud_run_v2_service.ingest[0].template[0].vpc_access) == 0 && length(google_compute_subnetwork_iam_member.ingest) == 0
    error_message = "The service has a way into the network that it needs not."
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
    error_message = "A secret is encrypted with Google's key."
  }
}
