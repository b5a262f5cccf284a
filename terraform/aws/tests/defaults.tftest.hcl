# The four required variables are enough.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

variables {
  account    = "123456789012"
  region     = "eu-west-1"
  package    = "tests/package.zip"
  connectors = ["10.0.0.5", "10.0.0.6"]
}

run "four_variables" {
  command = plan

  assert {
    condition     = aws_sqs_queue.changes[0].name == "aerosink-changes.fifo"
    error_message = "Unexpected name of the queue of changes."
  }
}
