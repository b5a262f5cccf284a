# The connectors' machines: their template, and the group that keeps them running.

resource "google_compute_instance_template" "connector" {
  count = var.connector == null ? 0 : 1

  project      = var.project
  name_prefix  = "${local.connector_name}-"
  machine_type = var.connector.machine_type
  region       = var.region
  labels       = local.labels

  # A family is resolved when a machine is created, so each new one has the newest fixes.
  disk {
    source_image = var.connector.os_image
    disk_type    = "pd-balanced"
    disk_size_gb = 20
    boot         = true
    auto_delete  = true

    dynamic "disk_encryption_key" {
      for_each = var.kms_key[*]
      content {
        kms_key_self_link = disk_encryption_key.value
      }
    }
  }

  # No access_config, so no external address.
  network_interface {
    subnetwork = local.subnetwork
  }

  service_account {
    email  = google_service_account.connector.email
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  metadata = {
    user-data              = local.connector_cloud_init
    google-logging-enabled = "true"
    enable-oslogin         = "TRUE"
    block-project-ssh-keys = "TRUE"
    serial-port-enable     = "FALSE"
  }

  depends_on = [google_project_service.api]

  # The group uses the old template until it has the new one. Terraform then creates
  # whatever the template depends on before it destroys it, too, which fails with 409 if
  # the name stays the same. So nothing here may refer to the function or its sinks.
  lifecycle {
    create_before_destroy = true
  }
}

# Whether the process runs at all: a new machine does not help a connector that waits
# for the function.
resource "google_compute_health_check" "connector_alive" {
  count = var.connector == null ? 0 : 1

  project             = var.project
  name                = "${local.connector_name}-alive"
  check_interval_sec  = 10
  timeout_sec         = 5
  healthy_threshold   = 2
  unhealthy_threshold = 6
  depends_on          = [google_project_service.api]

  http_health_check {
    port         = local.connector_manage_port
    request_path = "/healthz"
  }
}

# Changes with the subnetwork.
resource "terraform_data" "connector_subnetwork" {
  count = var.connector == null ? 0 : 1

  triggers_replace = local.subnetwork
}

# target_size is left out: each instance below raises it by one. A number here would add
# machines with other names and addresses.
resource "google_compute_region_instance_group_manager" "connector" {
  count = var.connector == null ? 0 : 1

  project                   = var.project
  name                      = local.connector_name
  base_instance_name        = local.connector_name
  region                    = var.region
  distribution_policy_zones = var.connector.zones

  version {
    instance_template = google_compute_instance_template.connector[0].self_link_unique
  }

  # Metadata of the group, not of the template: a new image or configuration then needs
  # only a restart, which a build can ask for without Terraform, and the template does not
  # depend on the function, whose URL is in the configuration.
  all_instances_config {
    metadata = {
      connector-image  = local.images.connector
      connector-config = local.connector_config
    }
  }

  auto_healing_policies {
    health_check      = google_compute_health_check.connector_alive[0].id
    initial_delay_sec = 300
  }

  # A repaired machine gets the newest template at once; the one it was created from may
  # be gone.
  instance_lifecycle_policy {
    force_update_on_repair = "YES"
  }

  # A regional group takes down none, or as many as it has zones, which here is all of
  # them: hence on-command. Names and addresses are kept only if machines are recreated
  # in place and stay in their zones.
  update_policy {
    type                         = var.connector.rollout == "at-once" ? "PROACTIVE" : "OPPORTUNISTIC"
    minimal_action               = "RESTART"
    replacement_method           = "RECREATE"
    instance_redistribution_type = "NONE"
    max_surge_fixed              = 0
    max_unavailable_fixed        = max(3, length(coalesce(var.connector.zones, [])))
  }

  # What a machine needs for its first boot.
  depends_on = [
    google_artifact_registry_repository_iam_member.images_connector,
    google_kms_crypto_key_iam_member.agents,
    google_project_iam_member.connector_logs,
    google_project_iam_member.connector_metrics,
    google_secret_manager_secret_iam_member.connector_tls,
  ]

  # A group stays in the network of its machines, and with the addresses all of these go.
  lifecycle {
    replace_triggered_by = [terraform_data.connector_subnetwork[0].id]
  }
}

resource "google_compute_region_per_instance_config" "connector" {
  for_each = local.connector_names

  project                       = var.project
  name                          = each.key
  region                        = var.region
  region_instance_group_manager = google_compute_region_instance_group_manager.connector[0].name
  remove_instance_on_destroy    = true
  deletion_policy               = local.deletion_policy # like the address, which would refuse only after the machine is gone

  preserved_state {
    internal_ip {
      interface_name = "nic0"
      auto_delete    = "NEVER"

      ip_address {
        address = google_compute_address.connector[each.key].self_link
      }
    }
  }

  # A recreated group has the same name and no machines, and nothing above would tell
  # Terraform that the machines went with the old one. Nor would it delete them before it
  # deletes their addresses, which are in use until then.
  lifecycle {
    replace_triggered_by = [
      google_compute_region_instance_group_manager.connector[0].id,
      google_compute_address.connector[each.key].id,
    ]
  }
}
