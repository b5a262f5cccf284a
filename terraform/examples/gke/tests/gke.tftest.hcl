# The manifest's pods, and only they, run as the connector's account.

mock_provider "google" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  project      = "example-project"
  region       = "europe-west1"
  subnetwork   = "default"
  node_account = "nodes@example-project.iam.gserviceaccount.com"
  database     = { ships = ["shop"] }
}

override_module {
  target = module.aerosink
  outputs = {
    connector_config  = "service: {port: 8901}"
    connector_account = "aerosink-connector@example-project.iam.gserviceaccount.com"
    connector_image   = "europe-west1-docker.pkg.dev/example-project/aerosink/connector@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    repository        = "aerosink"
  }
}

run "pods" {
  command = plan

  assert {
    condition = alltrue([
      google_service_account_iam_member.connector.role == "roles/iam.workloadIdentityUser",
      google_service_account_iam_member.connector.service_account_id == "projects/example-project/serviceAccounts/aerosink-connector@example-project.iam.gserviceaccount.com",
      google_service_account_iam_member.connector.member == "serviceAccount:example-project.svc.id.goog[aerosink/aerosink-connector]",
    ])
    error_message = "Exactly the connector's pods must be able to act as its account."
  }

  assert {
    condition     = google_artifact_registry_repository_iam_member.nodes.role == "roles/artifactregistry.reader" && google_artifact_registry_repository_iam_member.nodes.member == "serviceAccount:nodes@example-project.iam.gserviceaccount.com"
    error_message = "The nodes need roles/artifactregistry.reader."
  }

  assert {
    condition     = length(split("-host", output.xdr_config_command)) == 4 && strcontains(output.xdr_config_command, "-host aerosink-connector-2.aerosink-connector.aerosink.svc.cluster.local ")
    error_message = "The command must have the name of each pod."
  }

  assert {
    condition = yamldecode(output.aerospike_cluster).spec.aerospikeConfig.xdr.dcs == [{
      name      = "aerosink"
      connector = true
      node-address-ports = [
        "aerosink-connector-0.aerosink-connector.aerosink.svc.cluster.local 8901",
        "aerosink-connector-1.aerosink-connector.aerosink.svc.cluster.local 8901",
        "aerosink-connector-2.aerosink-connector.aerosink.svc.cluster.local 8901",
      ]
      namespaces = [{ name = "shop" }]
    }]
    error_message = "The operator's settings must list the pods."
  }

  assert {
    condition     = strcontains(output.manifest, "iam.gke.io/gcp-service-account: aerosink-connector@example-project.iam.gserviceaccount.com")
    error_message = "The manifest must have the connector's account."
  }
}
