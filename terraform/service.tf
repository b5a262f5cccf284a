# The function as a Cloud Run service, with our own server: unencrypted HTTP/2 behind
# Google's front end, and a shutdown that answers requests in flight.

resource "google_cloud_run_v2_service" "ingest" {
  count = local.is_function ? 0 : 1

  project              = var.project
  name                 = local.ingest_service
  location             = var.region
  labels               = local.labels
  ingress              = { internal = "INGRESS_TRAFFIC_INTERNAL_ONLY", internal-and-load-balancer = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", all = "INGRESS_TRAFFIC_ALL" }[var.ingest.ingress]
  custom_audiences     = [local.custom_audience]
  invoker_iam_disabled = var.ingest.tokens != null # then the function checks tokens

  # A service that never became ready is tainted, but protected from being recreated. Run
  # terraform untaint 'google_cloud_run_v2_service.ingest[0]', then apply again.
  deletion_protection = var.deletion_protection

  template {
    service_account                  = google_service_account.ingest.email
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    encryption_key                   = var.kms_key
    max_instance_request_concurrency = var.ingest.concurrency

    # More than the function's own limits, 24 s in all, so that it responds itself.
    timeout = "60s"

    scaling {
      min_instance_count = var.ingest.min_instances
      max_instance_count = var.ingest.max_instances
    }

    containers {
      name  = "sink"
      image = local.images.sink

      ports {
        name           = "h2c" # otherwise the front end uses HTTP/1.1, at most 800 requests a second
        container_port = 8080
      }

      dynamic "env" {
        for_each = local.environment
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.token_versions
        content {
          name = "AUTH_TOKENS"
          value_source {
            secret_key_ref {
              secret  = env.value.secret
              version = env.value.variable
            }
          }
        }
      }

      resources {
        limits            = { cpu = tostring(var.ingest.cpu), memory = "${var.ingest.memory}Mi" }
        cpu_idle          = !local.has_metrics # the default is false, whatever the documentation says
        startup_cpu_boost = true
      }

      # The port is open once the environment has been read.
      startup_probe {
        timeout_seconds   = 1
        period_seconds    = 1
        failure_threshold = 30
        tcp_socket {
          port = 8080
        }
      }

      dynamic "volume_mounts" {
        for_each = local.token_versions
        content {
          name       = "tokens"
          mount_path = dirname(local.environment.AUTH_TOKENS_FILE)
        }
      }
    }

    dynamic "containers" {
      for_each = google_secret_manager_secret_version.collector
      content {
        name       = "collector"
        image      = var.ingest.collector.image
        depends_on = ["sink"]

        resources {
          limits   = { cpu = tostring(var.ingest.collector.cpu), memory = "${var.ingest.collector.memory}Mi" }
          cpu_idle = false # it scrapes between requests as well
        }

        volume_mounts {
          name       = "collector"
          mount_path = "/etc/rungmp"
        }
      }
    }

    dynamic "volumes" {
      for_each = local.token_versions
      content {
        name = "tokens"
        secret {
          secret = volumes.value.secret
          items {
            version = volumes.value.file
            path    = basename(local.environment.AUTH_TOKENS_FILE)
          }
        }
      }
    }

    dynamic "volumes" {
      for_each = google_secret_manager_secret_version.collector
      content {
        name = "collector"
        secret {
          secret = google_secret_manager_secret.collector[0].secret_id
          items {
            version = volumes.value.version # latest would change under running instances without a rollout
            path    = "config.yaml"
          }
        }
      }
    }

    dynamic "vpc_access" {
      for_each = local.shared_subnetworks
      content {
        egress = "PRIVATE_RANGES_ONLY" # Pub/Sub and Cloud Storage are reached without the VPC network
        network_interfaces {
          subnetwork = vpc_access.value
        }
      }
    }
  }

  # gcloud leaves its name, a label and an annotation when it deploys.
  lifecycle {
    ignore_changes = [client, client_version, template[0].annotations, template[0].labels]
  }

  # A revision fails if its account cannot read its secrets, and refuses changes if it
  # cannot store them. The protection of the service also keeps a destroy from the sinks.
  depends_on = [
    google_project_service.api,
    google_kms_crypto_key_iam_member.agents,
    google_pubsub_topic_iam_member.changes_ingest,
    google_storage_bucket_iam_member.archive_ingest,
    google_storage_bucket_iam_member.dead_letters_ingest,
    google_secret_manager_secret_iam_member.collector_ingest,
    google_secret_manager_secret_iam_member.tokens_ingest,
    google_compute_subnetwork_iam_member.ingest,
  ]
}

# The account that may send changes, if identities are required.
resource "google_cloud_run_v2_service_iam_member" "ingest_connector" {
  count = var.ingest.tokens == null ? 1 : 0

  project  = var.project
  name     = basename(local.is_function ? google_cloudfunctions2_function.ingest[0].id : google_cloud_run_v2_service.ingest[0].id)
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.connector.member
}

# The second container of the service, which sends the function's metrics to Managed
# Service for Prometheus.

resource "google_project_iam_member" "metrics_ingest" {
  count = local.has_metrics ? 1 : 0

  project = var.project
  role    = "roles/monitoring.metricWriter"
  member  = google_service_account.ingest.member
}

# Its configuration is in Secret Manager only because Cloud Run can mount no other files;
# it holds no secrets.
resource "google_secret_manager_secret" "collector" {
  count = local.has_metrics ? 1 : 0

  project   = var.project
  secret_id = "${var.prefix}-collector"
  labels    = local.labels
  replication {
    user_managed {
      replicas {
        location = var.region
        dynamic "customer_managed_encryption" {
          for_each = var.kms_key[*]
          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agents]
}

resource "google_secret_manager_secret_version" "collector" {
  count = local.has_metrics ? 1 : 0

  secret      = google_secret_manager_secret.collector[0].id
  secret_data = file("${path.module}/templates/run-monitoring.yaml")

  # Instances that start meanwhile still mount the previous version, so it stays. Creating
  # the new one first would do, but then a secret that is replaced would be created while
  # the old one has its name.
  deletion_policy = "ABANDON"
}

resource "google_secret_manager_secret_iam_member" "collector_ingest" {
  count = local.has_metrics ? 1 : 0

  project   = var.project
  secret_id = google_secret_manager_secret.collector[0].id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.ingest.member
}
