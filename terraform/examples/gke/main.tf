# The connectors on Kubernetes, next to an Aerospike cluster there. Everything else is as
# usual. Outputs have the manifest and the settings of the database:
#
#   terraform output -raw manifest | kubectl apply --filename=-
#   terraform output -raw aerospike_cluster

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.33, < 9"
    }
  }
}

variable "project" {
  description = "ID of the project, which also has the cluster."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of the cluster."
  type        = string
  nullable    = false
}

variable "subnetwork" {
  description = "Subnetwork of the cluster."
  type        = string
  nullable    = false
}

variable "node_account" {
  description = "Service account of the cluster's nodes, which pulls the image."
  type        = string
  nullable    = false
}

variable "database" {
  description = <<-EOT
    The database's pods, and which of its data to ship.
    - namespace: the pods' Kubernetes namespace.
    - label: label of all pods; by default the one that Aerospike's operator sets.
    - ships: Aerospike namespaces to ship.
  EOT
  type = object({
    namespace = optional(string, "aerospike")
    label     = optional(map(string), { app = "aerospike-cluster" })
    ships     = list(string)
  })
  nullable = false
}

module "aerosink" {
  source = "../.." # elsewhere: "git::https://github.com/aerosink/aerosink.git//terraform?ref=COMMIT"

  project          = var.project
  region           = var.region
  subnetwork       = var.subnetwork
  aerospike_ranges = ["10.0.0.0/8"] # only for firewall rules of machines; there are none
  connector        = null
  alerts           = { connectors = local.replicas }
}

locals {
  name     = "aerosink-connector" # also the label job of the metrics, which dashboards use
  replicas = 3

  # Names of the pods, which are fixed; their addresses are not.
  hosts = [for i in range(local.replicas) : "${local.name}-${i}.${local.name}.aerosink.svc.cluster.local"]

  manifest = templatefile("${path.module}/aerosink.yaml.tftpl", {
    name     = local.name
    replicas = local.replicas
    image    = module.aerosink.connector_image
    account  = module.aerosink.connector_account
    config   = module.aerosink.connector_config
    checksum = sha256(module.aerosink.connector_config)
    database = var.database
  })
}

# Only Google service accounts get identity tokens, so the Kubernetes account acts as one. A
# grant to the Kubernetes account itself would not be enough.
resource "google_service_account_iam_member" "connector" {
  service_account_id = "projects/${var.project}/serviceAccounts/${module.aerosink.connector_account}"
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[aerosink/${local.name}]"
}

resource "google_artifact_registry_repository_iam_member" "nodes" {
  project    = var.project
  location   = var.region
  repository = module.aerosink.repository
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${var.node_account}"
}

output "manifest" {
  description = "Manifest for kubectl apply."
  value       = local.manifest
}

# The operator writes the configuration of each node, so it must be set here.
output "aerospike_cluster" {
  description = "XDR settings for the connectors, as part of an AerospikeCluster resource."
  value = yamlencode({ spec = { aerospikeConfig = { xdr = { dcs = [{
    name               = "aerosink"
    connector          = true
    node-address-ports = [for host in local.hosts : "${host} 8901"]
    namespaces         = [for n in var.database.ships : { name = n }]
  }] } } } })
}

output "xdr_config_command" {
  description = "Command that prints the same settings for a database without the operator, once the pods run."
  value = join(" ", concat(
    ["kubectl exec --namespace=aerosink ${local.name}-0 -- /connector xdr-config -config /etc/aerosink/connector.yml"],
    [for host in local.hosts : "-host ${host}"],
    [for n in var.database.ships : "-namespace '${n}'"],
  ))
}
