# Alarms and the dashboard.

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

run "by_default" {
  command = plan

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.alarm) == ["front-errors", "function-dead-letters", "function-duration", "function-errors", "function-refused-events", "function-throttles", "queue-age"]
    error_message = "Unexpected alarms: ${join(", ", keys(aws_cloudwatch_metric_alarm.alarm))}"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["function-duration"].threshold == 7200 && aws_cloudwatch_metric_alarm.alarm["queue-age"].threshold == 3600
    error_message = "Unexpected thresholds."
  }

  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.alarm : a.treat_missing_data == "notBreaching" && length([for q in a.metric_query : q if coalesce(q.return_data, false)]) == 1])
    error_message = "An alarm goes off without data, or has not one value."
  }

  assert {
    condition     = { for q in aws_cloudwatch_metric_alarm.alarm["front-errors"].metric_query : q.id => coalesce(q.expression, try(one(q.metric).metric_name, null)) } == { metric = "5xx", per = "Count", ratio = "metric / per" }
    error_message = "The alarm about 5xx is not a ratio."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 10
    error_message = "Unexpected dashboard."
  }
}

run "all_of_them" {
  command = plan

  variables {
    queue   = { attempts = 5 }
    stream  = {}
    archive = {}
    front   = "rest-proxy"
    alarms  = { topics = ["arn:aws:sns:eu-west-1:123456789012:operators"], age_minutes = 5, error_ratio = 0.5, duration_ratio = 0.5 }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.alarm) == 10 && alltrue([for a in aws_cloudwatch_metric_alarm.alarm : a.alarm_actions == toset(["arn:aws:sns:eu-west-1:123456789012:operators"]) && a.ok_actions == a.alarm_actions])
    error_message = "There are ${length(aws_cloudwatch_metric_alarm.alarm)} alarms, or one that nobody gets."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.alarm["stream-age"].threshold == 300000 && aws_cloudwatch_metric_alarm.alarm["function-duration"].threshold == 4500
    error_message = "Unexpected thresholds."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 14
    error_message = "Unexpected dashboard."
  }
}

run "none" {
  command = plan

  variables {
    alarms = { enabled = false }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.alarm) == 0
    error_message = "There are alarms."
  }
}
