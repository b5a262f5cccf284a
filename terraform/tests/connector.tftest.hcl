# The connectors: machines, network, grants and updates.

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
    error_message = "There must be three machines with fixed names."
  }

  assert {
    condition     = alltrue([for m in google_compute_region_per_instance_config.connector : one(one(m.preserved_state).internal_ip).interface_name == "nic0" && m.remove_instance_on_destroy])
    error_message = "A machine has no fixed address, or is not removed on destroy."
  }

  assert {
    condition     = alltrue([for a in google_compute_address.connector : a.address_type == "INTERNAL" && a.subnetwork == "projects/example-project/regions/europe-west1/subnetworks/default"])
    error_message = "An address is not internal, or not in the subnetwork."
  }

  assert {
    condition     = length(google_compute_instance_template.connector[0].network_interface) == 1 && length(one(google_compute_instance_template.connector[0].network_interface).access_config) == 0
    error_message = "A machine has an external address."
  }

  assert {
    condition     = one(google_compute_instance_template.connector[0].shielded_instance_config).enable_secure_boot
    error_message = "Secure boot is off."
  }

  assert {
    condition     = google_compute_instance_template.connector[0].metadata["enable-oslogin"] == "TRUE" && google_compute_instance_template.connector[0].metadata["serial-port-enable"] == "FALSE"
    error_message = "OS Login must be the only way to log in."
  }

  assert {
    condition     = one(google_compute_instance_template.connector[0].service_account).email == google_service_account.connector.email
    error_message = "Machines do not run as the connector's account."
  }

  assert {
    condition     = google_compute_region_instance_group_manager.connector[0].all_instances_config[0].metadata["connector-image"] == var.images.connector
    error_message = "The group's metadata does not have the image."
  }

  assert {
    condition = (google_compute_region_instance_group_manager.connector[0].all_instances_config[0].metadata["connector-config"] == output.connector_config
    && !strcontains(google_compute_instance_template.connector[0].metadata["user-data"], "destinations:"))
    error_message = "The configuration, which has the function's URL, must be in the group's metadata and not in the template."
  }

  assert {
    condition     = google_project_iam_member.connector_logs[0].role == "roles/logging.logWriter" && google_project_iam_member.connector_logs[0].member == google_service_account.connector.member
    error_message = "The connector needs roles/logging.logWriter."
  }

  assert {
    condition     = google_project_iam_member.connector_metrics[0].role == "roles/monitoring.metricWriter" && google_project_iam_member.connector_metrics[0].member == google_service_account.connector.member
    error_message = "The connector needs roles/monitoring.metricWriter."
  }

  assert {
    condition     = length(google_secret_manager_secret_iam_member.connector_tls) == 0
    error_message = "There are grants on secrets without TLS."
  }

  assert {
    condition     = google_compute_firewall.connector_xdr[0].source_ranges == toset(["10.0.0.0/24"]) && one(google_compute_firewall.connector_xdr[0].allow).ports == tolist(["8901"])
    error_message = "Only the database may reach the XDR port."
  }

  assert {
    condition     = google_compute_firewall.connector_health[0].source_ranges == toset(["35.191.0.0/16", "130.211.0.0/22"]) && one(google_compute_firewall.connector_health[0].allow).ports == tolist(["8902"])
    error_message = "Only Google's health checks may reach the manage port."
  }

  # A lower number comes first; other rules have 1000 unless they say otherwise, and those of
  # the default network have 65534.
  assert {
    condition = (google_compute_firewall.connector_denied[0].source_ranges == toset(["0.0.0.0/0"])
      && one(google_compute_firewall.connector_denied[0].deny).ports == tolist(["8901", "8902"])
      && one(google_compute_firewall.connector_denied[0].deny).protocol == "tcp"
      && google_compute_firewall.connector_denied[0].priority < 1000
    && alltrue([for f in [google_compute_firewall.connector_xdr[0], google_compute_firewall.connector_health[0]] : f.priority < google_compute_firewall.connector_denied[0].priority]))
    error_message = "No other rule of the network may admit connections to the connectors."
  }

  assert {
    condition     = alltrue([for f in [google_compute_firewall.connector_xdr[0], google_compute_firewall.connector_health[0], google_compute_firewall.connector_denied[0]] : f.target_service_accounts == toset([google_service_account.connector.email]) && f.target_tags == null && f.source_tags == null])
    error_message = "A firewall rule must apply to the connectors only."
  }

  assert {
    condition     = google_compute_region_instance_group_manager.connector[0].update_policy[0].type == "OPPORTUNISTIC"
    error_message = "An apply must not restart all connectors at once."
  }

  assert {
    condition = alltrue([
      google_compute_region_instance_group_manager.connector[0].update_policy[0].replacement_method == "RECREATE",
      google_compute_region_instance_group_manager.connector[0].update_policy[0].instance_redistribution_type == "NONE",
      google_compute_region_instance_group_manager.connector[0].update_policy[0].max_surge_fixed == 0,
      google_compute_region_instance_group_manager.connector[0].update_policy[0].max_unavailable_fixed >= 3,
    ])
    error_message = "Google refuses this update policy for machines with fixed names and addresses, or for a regional group."
  }

  assert {
    condition     = google_compute_region_instance_group_manager.connector[0].instance_lifecycle_policy[0].force_update_on_repair == "YES"
    error_message = "A repaired machine would use its old template, which may be gone."
  }

  assert {
    condition     = google_compute_health_check.connector_alive[0].http_health_check[0].request_path == "/healthz" && google_compute_health_check.connector_alive[0].http_health_check[0].port == 8902
    error_message = "Auto-healing must check whether the process is alive."
  }

  assert {
    condition     = google_compute_health_check.connector_alive[0].check_interval_sec * google_compute_health_check.connector_alive[0].unhealthy_threshold >= 60
    error_message = "Auto-healing must allow at least a minute of failed checks."
  }

  assert {
    condition     = strcontains(output.roll_connectors, "for instance in aerosink-connector-1 aerosink-connector-2 aerosink-connector-3;") && strcontains(output.roll_connectors, "--minimal-action=restart")
    error_message = "The rollout command must restart each connector by name."
  }

  assert {
    condition     = terraform_data.connector_subnetwork[0].triggers_replace == google_compute_address.connector["aerosink-connector-1"].subnetwork
    error_message = "Another subnetwork must replace the machines with their addresses."
  }

  assert {
    condition     = length(google_compute_forwarding_rule.connector) + length(google_compute_region_backend_service.connector) + length(google_compute_region_health_check.connector_ready) + length(google_compute_address.connector_balancer) == 0
    error_message = "There must be no balancer by default."
  }
}

run "at_once" {
  command = plan

  variables {
    connector = { rollout = "at-once", size = 4, zones = ["europe-west1-b", "europe-west1-c"] }
  }

  assert {
    condition     = google_compute_region_instance_group_manager.connector[0].update_policy[0].type == "PROACTIVE" && google_compute_region_instance_group_manager.connector[0].distribution_policy_zones == toset(["europe-west1-b", "europe-west1-c"])
    error_message = "Rollout or zones are not applied."
  }

  assert {
    condition     = length(google_compute_address.connector) == 4
    error_message = "There must be four addresses."
  }
}

run "balancer" {
  command = plan

  variables {
    connector = { balancer = true }
  }

  assert {
    condition     = google_compute_forwarding_rule.connector[0].load_balancing_scheme == "INTERNAL" && google_compute_region_backend_service.connector[0].load_balancing_scheme == "INTERNAL" && !google_compute_forwarding_rule.connector[0].allow_global_access
    error_message = "The balancer must be internal and regional."
  }

  assert {
    condition     = google_compute_region_backend_service.connector[0].connection_tracking_policy[0].connection_persistence_on_unhealthy_backends == "NEVER_PERSIST"
    error_message = "Connections must not stay with an unhealthy connector."
  }

  assert {
    condition     = google_compute_region_health_check.connector_ready[0].http_health_check[0].request_path == "/readyz"
    error_message = "The balancer must check whether connectors are ready."
  }

  assert {
    condition     = strcontains(output.xdr_config, "        node-address-port ${google_compute_address.connector_balancer[0].address} 8901\n") && length(split("node-address-port ", output.xdr_config)) == 2
    error_message = "The database must be given only the balancer's address."
  }

  assert {
    condition     = yamldecode(output.connector_config).service["connection-ttl"] == "10m"
    error_message = "Connections must have a TTL, so that they move to new connectors."
  }
}

run "xdr_config" {
  command = plan

  variables {
    connector = { namespaces = ["shop", "bank"] }
  }

  assert {
    condition     = length(split("node-address-port ", output.xdr_config)) == 4 && strcontains(output.xdr_config, "        namespace shop {\n        }\n        namespace bank {\n        }\n")
    error_message = "The database must be given each connector and each namespace."
  }

  assert {
    condition     = yamldecode(output.connector_config).service.port == 8901 && tolist(yamldecode(output.connector_config).service.allow) == var.aerospike_ranges && yamldecode(output.connector_config).destinations.function.auth.audience == local.audience
    error_message = "Port, ranges or audience in the configuration do not match firewall and function."
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
    error_message = "The connector must be able to read exactly its secrets."
  }

  assert {
    condition     = yamldecode(output.connector_config).service.tls["key-file"] == "/run/aerosink/tls/key" && !can(yamldecode(output.connector_config).service.port)
    error_message = "The configuration must have a TLS port only."
  }

  assert {
    condition     = strcontains(output.xdr_config, " 8901 connector.example\n")
    error_message = "The database must be given the name in the certificate."
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
    error_message = "The subnetwork must be looked up in its own project."
  }

  assert {
    condition     = length(google_compute_firewall.connector_xdr) + length(google_compute_firewall.connector_health) + length(google_compute_firewall.connector_denied) + length(google_project_iam_member.connector_metrics) == 0
    error_message = "There must be no firewall rules and no grant for metrics."
  }
}

run "no_connectors" {
  command = plan

  variables {
    connector = null
  }

  assert {
    condition     = length(google_compute_region_instance_group_manager.connector) + length(google_compute_instance_template.connector) + length(google_compute_address.connector) + length(data.google_compute_subnetwork.connector) + length(google_compute_firewall.connector_xdr) == 0
    error_message = "There must be no machines, addresses or rules."
  }

  assert {
    condition     = yamldecode(output.connector_config).service.port == 8901 && output.xdr_config == null && output.roll_connectors == null && google_service_account.connector.account_id == "aerosink-connector"
    error_message = "Outputs must be null, but the account must exist for connectors elsewhere."
  }
}

run "no_private_google_access" {
  command = plan

  override_data {
    target = data.google_compute_subnetwork.connector
    values = { private_ip_google_access = false }
  }

  expect_failures = [data.google_compute_subnetwork.connector]
}

run "subnetwork_in_other_region" {
  command = plan

  variables {
    subnetwork = "projects/network-project/regions/us-central1/subnetworks/shop"
  }

  expect_failures = [data.google_compute_subnetwork.connector]
}
