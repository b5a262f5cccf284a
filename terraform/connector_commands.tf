# What a person runs once the connectors are there, as outputs.

locals {
  # A balancer stands for all of them.
  connector_hosts = length(google_compute_address.connector_balancer) > 0 ? google_compute_address.connector_balancer[*].address : [
    for name in local.connector_names : google_compute_address.connector[name].address
  ]

  xdr_config_command = var.connector == null ? null : join(" ", concat(
    ["terraform -chdir=terraform output -raw connector_config | go run ./connector/cmd/connector xdr-config -config /dev/stdin"],
    [for host in local.connector_hosts : "-host ${host}"],
    var.connector.tls == null ? [] : ["-tls-name ${var.connector.tls.name}"],
    length(var.connector.namespaces) == 0 ? ["-namespace NAMESPACE"] : [for n in var.connector.namespaces : "-namespace '${n}'"],
  ))

  # A restart at least: what runs does not look again at the group's metadata. The rest
  # takes the stream meanwhile; the next one has to wait until it is back. In a shell of
  # its own, which may end where a person's should not.
  roll_connectors = var.connector == null ? null : <<-EOT
    (
      set -e
      for instance in ${join(" ", local.connector_names)}; do
        gcloud compute instance-groups managed update-instances ${local.connector_name} --project=${var.project} --region=${var.region} --instances=$instance --minimal-action=restart
        gcloud compute instance-groups managed wait-until ${local.connector_name} --project=${var.project} --region=${var.region} --stable --timeout=900
      done
    )
  EOT
}
