mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

variables {
  account    = "123456789012"
  region     = "eu-west-1"
  package    = "../../tests/package.zip"
  connectors = ["10.0.0.5"]
}

run "plans" {
  command = plan

  assert {
    condition     = output.aerosink.url == "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/" && output.aerosink.environment.SINKS == "sqs://eu-west-1/123456789012/aerosink-changes.fifo?ordering=256"
    error_message = "There is no HTTP API, or changes go elsewhere than to the queue."
  }
}
