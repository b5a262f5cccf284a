# What is on a connector's machine: the connector's configuration, the units that run
# it, and what brings them there.

locals {
  connector_config = var.connector == null ? null : coalesce(var.connector.config, templatefile("${path.module}/templates/connector.yml.tftpl", {
    port        = local.connector_port
    manage_port = local.connector_manage_port
    url         = local.ingest_url
    audience    = local.audience
    tls         = var.connector.tls
    balancer    = var.connector.balancer
  }))

  connector_files = var.connector == null ? {} : merge(
    {
      "/etc/aerosink/connector.yml" = local.connector_config
      "/etc/aerosink/prepare"       = file("${path.module}/templates/prepare.sh")
      "/etc/systemd/system/aerosink.service" = templatefile("${path.module}/templates/aerosink.service.tftpl", {
        ports   = [local.connector_port, local.connector_manage_port]
        secrets = [for use, version in local.connector_secrets : "${use}=${version}"]
      })
    },
    !var.connector.metrics ? {} : {
      "/etc/aerosink/collector.yaml" = templatefile("${path.module}/templates/collector.yaml.tftpl", {
        prefix = var.prefix
        port   = local.connector_manage_port
      })
      "/etc/systemd/system/aerosink-metrics.service" = templatefile("${path.module}/templates/aerosink-metrics.service.tftpl", {
        image = var.connector.collector_image
      })
    },
  )

  # Read at each start of the machine: on Container-Optimized OS nothing below /etc outlives one.
  connector_cloud_init = templatefile("${path.module}/templates/cloud-init.yaml.tftpl", {
    files = local.connector_files
    units = [for path in keys(local.connector_files) : basename(path) if endswith(path, ".service")]
  })
}
