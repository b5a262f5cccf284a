# The connectors: where they are, who reaches them, what they may do, how they change.

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
    connector = "europe-west1-docker.pkg.dev/example-project/aerosink/connector@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    sink      = "europe-west1-docker.pkg.dev/example-project/aerosink/sink@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }
}

run "by_default" {
  command = plan

  assert {
    condition     = sort(keys(google_compute_region_per_instance_config.connector)) == tolist(["aerosink-connector-1", "aerosink-connector-2", "aerosink-connector-3"])
    error_message = "There are not three machines with names that stay."
  }

  assert {
    condition     = alltrue([for m in google_compute_region_per_instance_config.connector : one(one(m.preserved_state).internal_ip).interface_name == "nic0" && m.remove_instance_on_destroy])
    error_message = "A machine has no address that stays, or stays itself when it should go."
  }

  assert {
    condition     = alltrue([for a in google_compute_address.connector : a.address_type == "INTERNAL" && a.subnetwork == "projects/example-project/regions/europe-west1/subnetworks/default"])
    error_message = "An address is not one of the subnetwork."
  }

  assert {
    condition     = length(google_compute_instance_template.connector[0].network_interface) == 1 && length(one(google_compute_instance_template.connector[0].network_interface).access_config) == 0
    error_message = "A machine has an address outside."
  }

  assert {
    condition     = one(google_compute_instance_template.connector[0].shielded_instance_config).enable_secure_boot
    error_message = "Machines boot whatever they are given."
  }

  assert {
    condition     = google_compute_instance_template.connector[0].metadata["enable-oslogin"] == "TRUE" && google_compute_instance_template.connector[0].metadata["serial-port-enable"] == "FALSE"
    error_message = "There are other ways into a machine than OS Login."
  }

  assert {
    condition     = one(google_compute_instance_template.connector[0].service_account).email == google_service_account.connector.email
    error_message = "Machines run as somebody else than the connector."
  }

  assert {
    condition     = google_compute_region_instance_group_manager.connector[0].all_instances_config[0].metadata["connector-image"] == var.images.connector
    error_message = "Machines are not told which image to run."
  }

  assert {
    condition     = google_project_iam_member.connector_logs[0].role == "roles/logging.logWriter" && google_project_iam_member.connector_logs[0].member == google_service_account.connector.member
    error_message = "The connector may not write logs, or may do more."
  }

  assert {
    condition     = google_project_iam_member.connector_metrics[0].role == "roles/monitoring.metricWriter" && google_project_iam_member.connector_metrics[0].member == google_service_account.connector.member
    error_message = "The connector may not write figures, or may do more."
  }

  assert {
    condition     = length(google_secret_manager_secret_iam_member.connector_tls) == 0
    error_message = "The connector may read secrets without TLS."
  }

  assert {
    condition     = google_compute_firewall.connector_xdr[0].source_ranges == toset(["10.0.0.0/24"]) && one(google_compute_firewall.connector_xdr[0].allow).ports == tolist(["8901"])
    error_message = "Others than the database reach the port of XDR."
  }

  assert {
    condition     = google_compute_firewall.connector_health[0].source_ranges == toset(["35.191.0.0/16", "130.211.0.0/22"]) && one(google_compute_firewall.connector_health[0].allow).ports == tolist(["8902"])
    error_message = "Others than Google's health checks reach the manage port."
  }

  assert {
    condition     = alltrue([for f in [google_compute_firewall.connector_xdr[0], google_compute_firewall.connector_health[0]] : f.target_service_accounts == toset([google_service_account.connector.email]) && f.target_tags == null && f.source_tags == null])
    error_message = "A rule is for more machines than the connectors."
  }

  assert {
    condition     = google_compute_region_instance_group_manager.connector[0].update_policy[0].type == "OPPORTUNISTIC"
    error_message = "An apply takes all connectors down at once."
  }

  assert {
    condition = alltrue([
      google_compute_region_instance_group_manager.connector[0].update_policy[0].replacement_method == "RECREATE",
      google_compute_region_instance_group_manager.connector[0].update_policy[0].instance_redistribution_type == "NONE",
      google_compute_region_instance_group_manager.connector[0].update_policy[0].max_surge_fixed == 0,
      google_compute_region_instance_group_manager.connector[0].update_policy[0].max_unavailable_fixed >= 3,
    ])
    error_message = "Google refuses this policy for machines that keep their names and addresses, or for a group of a region."
  }

  assert {
    condition     = google_compute_region_instance_group_manager.connector[0].instance_lifecycle_policy[0].force_update_on_repair == "YES"
    error_message = "A machine that is healed would be made of a template that may be gone."
  }

  assert {
    condition     = google_compute_health_check.connector_alive[0].http_health_check[0].request_path == "/healthz" && google_compute_health_check.connector_alive[0].http_health_check[0].port == 8902
    error_message = "Healing asks something else than whether the process is there."
  }

  assert {
    condition     = google_compute_health_check.connector_alive[0].check_interval_sec * google_compute_health_check.connector_alive[0].unhealthy_threshold >= 60
    error_message = "Healing is so quick that a slow start is taken for a fault."
  }

  assert {
    condition     = strcontains(output.roll_connectors, "for instance in aerosink-connector-1 aerosink-connector-2 aerosink-connector-3;") && strcontains(output.roll_connectors, "--minimal-action=restart")
    error_message = "The command that rolls them out does not name each of them."
  }

  assert {
    condition     = length(google_compute_forwarding_rule.connector) + length(google_compute_region_backend_service.connector) + length(google_compute_region_health_check.connector_ready) + length(google_compute_address.connector_balancer) == 0
    error_message = "There is a balancer that nobody asked for, and that is billed."
  }
}

run "at_once" {
  command = plan

  variables {
    connector = { rollout = "at-once", size = 4, zones = ["europe-west1-b", "europe-west1-c"] }
  }

  assert {
    condition     = google_compute_region_instance_group_manager.connector[0].update_policy[0].type == "PROACTIVE" && google_compute_region_instance_group_manager.connector[0].distribution_policy_zones == toset(["europe-west1-b", "europe-west1-c"])
    error_message = "The choice of a rollout or of zones does nothing."
  }

  assert {
    condition     = length(google_compute_address.connector) == 4
    error_message = "There is not an address for each of four."
  }
}

run "balancer" {
  command = plan

  variables {
    connector = { balancer = true }
  }

  assert {
    condition     = google_compute_forwarding_rule.connector[0].load_balancing_scheme == "INTERNAL" && google_compute_region_backend_service.connector[0].load_balancing_scheme == "INTERNAL" && !google_compute_forwarding_rule.connector[0].allow_global_access
    error_message = "The balancer is reached from elsewhere."
  }

  assert {
    condition     = google_compute_region_backend_service.connector[0].connection_tracking_policy[0].connection_persistence_on_unhealthy_backends == "NEVER_PERSIST"
    error_message = "Connections stay with a sick connector."
  }

  assert {
    condition     = google_compute_region_health_check.connector_ready[0].http_health_check[0].request_path == "/readyz"
    error_message = "The balancer sends connections to connectors that take none."
  }

  assert {
    condition     = strcontains(output.xdr_config_command, "-host ${google_compute_address.connector_balancer[0].address} ") && length(split("-host", output.xdr_config_command)) == 2
    error_message = "The database is told of other addresses than the balancer's."
  }

  assert {
    condition     = yamldecode(output.connector_config).service["connection-ttl"] == "10m"
    error_message = "Connections never move to a connector that came later."
  }
}

run "pointing_the_database" {
  command = plan

  variables {
    connector = { namespaces = ["shop", "bank"] }
  }

  assert {
    condition     = length(split("-host", output.xdr_config_command)) == 4 && endswith(output.xdr_config_command, "-namespace 'shop' -namespace 'bank'")
    error_message = "The command does not name each connector and each namespace."
  }

  assert {
    condition     = yamldecode(output.connector_config).service.port == 8901 && yamldecode(output.connector_config).destinations.function.auth.audience == local.audience
    error_message = "The configuration is not the one that the firewall and the function are made for."
  }
}

run "tls" {
  command = plan

  variables {
    connector = {
      tls = {
        certificate = "projects/example-project/secrets/xdr-certificate/versions/3"
        key         = "projects/example-project/secrets/xdr-key/versions/3"
        authority   = "projects/elsewhere/secrets/authority/versions/latest"
        name        = "connector.example"
      }
    }
  }

  assert {
    condition     = tomap({ for use, g in google_secret_manager_secret_iam_member.connector_tls : use => "${g.project} ${g.secret_id} ${g.role}" }) == tomap({ certificate = "example-project xdr-certificate roles/secretmanager.secretAccessor", key = "example-project xdr-key roles/secretmanager.secretAccessor", authority = "elsewhere authority roles/secretmanager.secretAccessor" })
    error_message = "The connector may not read its secrets, or may read others."
  }

  assert {
    condition     = yamldecode(output.connector_config).service.tls["key-file"] == "/run/aerosink/tls/key" && !can(yamldecode(output.connector_config).service.port)
    error_message = "There is a way in beside TLS."
  }

  assert {
    condition     = strcontains(output.xdr_config_command, "-tls-name connector.example")
    error_message = "The database is not told the name in the certificate."
  }
}

run "shared_vpc" {
  command = plan

  variables {
    subnetwork = "projects/network-project/regions/europe-west1/subnetworks/shop"
    connector  = { firewall = false, metrics = false }
  }

  assert {
    condition     = data.google_compute_subnetwork.connector[0].project == "network-project" && google_compute_address.connector["aerosink-connector-1"].subnetwork == var.subnetwork
    error_message = "The subnetwork of another project is looked for in this one."
  }

  assert {
    condition     = length(google_compute_firewall.connector_xdr) + length(google_compute_firewall.connector_health) + length(google_project_iam_member.connector_metrics) == 0
    error_message = "There are rules or grants that were not wanted."
  }
}

run "none" {
  command = plan

  variables {
    connector = null
  }

  assert {
    condition     = length(google_compute_region_instance_group_manager.connector) + length(google_compute_instance_template.connector) + length(google_compute_address.connector) + length(data.google_compute_subnetwork.connector) + length(google_compute_firewall.connector_xdr) == 0
    error_message = "There are machines that nobody asked for."
  }

  assert {
    condition     = output.connector_config == null && output.xdr_config_command == null && output.roll_connectors == null && google_service_account.connector.account_id == "aerosink-connector"
    error_message = "Without connectors of ours there is something to run, or nobody that others could run as."
  }
}

run "no_private_access" {
  command = plan

  override_data {
    target = data.google_compute_subnetwork.connector
    values = { private_ip_google_access = false }
  }

  expect_failures = [data.google_compute_subnetwork.connector]
}

run "subnetwork_elsewhere" {
  command = plan

  variables {
    subnetwork = "projects/network-project/regions/us-central1/subnetworks/shop"
  }

  expect_failures = [data.google_compute_subnetwork.connector]
}
