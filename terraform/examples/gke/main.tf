# The connectors on Kubernetes, beside an Aerospike cluster that is there, too. The
# rest is as ever; the manifest comes out of it:
#
#   terraform output -raw manifest | kubectl apply --filename=-
#   terraform output -raw aerospike_cluster

terraform {
  required_version = ">= 1.9"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.21"
    }
  }
}

variable "project" {
  description = "Id of the project that all of it is in, the cluster too."
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
    The database's pods, and what is taken out of it.
    - namespace: in Kubernetes, that they are in.
    - label: that all of them have; by default that of Aerospike's operator.
    - ships: namespaces of the database that are to be shipped.
  EOT
  type = object({
    namespace = optional(string, "aerospike")
    label     = optional(map(string), { app = "aerospike-cluster" })
    ships     = list(string)
  })
  nullable = false
}

module "aerosink" {
  source = "../.."

  project          = var.project
  region           = var.region
  subnetwork       = var.subnetwork
  aerospike_ranges = ["10.0.0.0/8"] # for rules of machines, of which there are none
  connector        = null
  alerts           = { connectors = local.replicas }
}

locals {
  name     = "aerosink-connector" # also the label job of its figures, which dashboards look for
  replicas = 3

  # Of the pods. Their names stay, and their addresses do not.
  hosts = [for i in range(local.replicas) : "${local.name}-${i}.${local.name}.aerosink.svc.cluster.local"]

  connector_config = templatefile("${path.module}/../../templates/connector.yml.tftpl", {
    port        = 8901
    manage_port = 8902
    url         = module.aerosink.ingest_url
    audience    = module.aerosink.ingest_audience
    tls         = null
    balancer    = false
  })

  manifest = templatefile("${path.module}/aerosink.yaml.tftpl", {
    name     = local.name
    replicas = local.replicas
    image    = module.aerosink.connector_image
    account  = module.aerosink.connector_account
    config   = local.connector_config
    checksum = sha256(local.connector_config)
    database = var.database
  })
}

# Identity tokens are given to Google's accounts only, so that Kubernetes' own has to
# become one; a grant to itself would not do.
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
  description = "What kubectl is to apply."
  value       = local.manifest
}

output "connector_config" {
  description = "Configuration that the connectors run with."
  value       = local.connector_config
}

# The operator writes the configuration of each node, so that a node has it from here alone.
output "aerospike_cluster" {
  description = "What points the database at the connectors, as a part of Aerospike's AerospikeCluster."
  value = yamlencode({ spec = { aerospikeConfig = { xdr = { dcs = [{
    name               = "aerosink"
    connector          = true
    node-address-ports = [for host in local.hosts : "${host} 8901"]
    namespaces         = [for n in var.database.ships : { name = n }]
  }] } } } })
}

output "xdr_config_command" {
  description = "Command that prints the same for a database without the operator, to be run at the top of the clone."
  value = join(" ", concat(
    ["terraform -chdir=terraform/examples/gke output -raw connector_config | go run ./connector/cmd/connector xdr-config -config /dev/stdin"],
    [for host in local.hosts : "-host ${host}"],
    [for n in var.database.ships : "-namespace '${n}'"],
  ))
}
