mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  account    = "123456789012"
  region     = "eu-west-1"
  package    = "../../tests/package.zip"
  connectors = ["10.0.0.5"]

  listener           = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/0123456789abcdef/fedcba9876543210"
  url                = "https://ingest.shop.example"
  key_administrators = ["arn:aws:iam::123456789012:role/security"]
  key_readers        = ["arn:aws:iam::123456789012:role/consumer"]
  alarm_topics       = ["arn:aws:sns:eu-west-1:123456789012:operators"]
}

run "plans" {
  command = plan

  assert {
    condition     = output.aerosink.url == "https://ingest.shop.example/" && length(split(",", output.aerosink.environment.SINKS)) == 2
    error_message = "The URL is not the balancer's, or there are not two sinks."
  }

  assert {
    condition     = yamldecode(output.aerosink.connector_config).batching.max-bytes == 921600 && output.aerosink.kms_key != null
    error_message = "Batches are larger than a balancer takes, or there is no key."
  }
}
