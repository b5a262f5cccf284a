# The three fronts, and the configurations of connectors that follow from them.

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

run "http_api" {
  command = plan

  assert {
    condition     = keys(aws_apigatewayv2_route.this) == ["GET /", "GET /{proxy+}", "POST /"] && aws_apigatewayv2_stage.this[0].name == "$default" && aws_apigatewayv2_stage.this[0].auto_deploy
    error_message = "The HTTP API has unexpected routes, or a stage that is in paths."
  }

  assert {
    condition     = aws_apigatewayv2_integration.this[0].integration_type == "AWS_PROXY" && aws_apigatewayv2_integration.this[0].payload_format_version == "2.0" && aws_apigatewayv2_integration.this[0].timeout_milliseconds == 15000
    error_message = "The integration has unexpected settings."
  }

  assert {
    condition     = aws_lambda_permission.front.principal == "apigateway.amazonaws.com" && aws_lambda_permission.front.source_arn == "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/*"
    error_message = "Others than the API can invoke the function."
  }

  assert {
    condition     = output.url == "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/" && length(aws_lb_target_group.this) + length(aws_api_gateway_rest_api.this) == 0
    error_message = "Unexpected URL, or there is another front: ${output.url}"
  }

  assert {
    condition     = yamldecode(output.connector_config).destinations.function.urls == [output.url] && yamldecode(output.connector_config).batching == { max-records = 500, max-bytes = 4194304 }
    error_message = "Unexpected configuration of connectors."
  }

  assert {
    condition     = strcontains(output.xdr_config, "node-address-port 10.0.0.5 8901") && strcontains(output.xdr_config, "namespace NAMESPACE {")
    error_message = "Unexpected configuration of the database."
  }
}

run "alb" {
  command = plan

  variables {
    front = "alb"
    alb   = { listener = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/0123456789abcdef/fedcba9876543210", url = "https://ingest.shop.example:8443" }
  }

  assert {
    condition     = aws_lb_target_group.this[0].target_type == "lambda" && aws_lb_target_group.this[0].lambda_multi_value_headers_enabled && !aws_lb_target_group.this[0].health_check[0].enabled
    error_message = "The target group has unexpected settings."
  }

  assert {
    condition     = one(aws_lb_listener_rule.this[0].condition).host_header[0].values == toset(["ingest.shop.example"])
    error_message = "The rule does not have the host of the URL."
  }

  assert {
    condition     = aws_lambda_permission.front.principal == "elasticloadbalancing.amazonaws.com" && aws_lambda_permission.front.source_arn == aws_lb_target_group.this[0].arn
    error_message = "Others than the balancer can invoke the function."
  }

  assert {
    condition     = yamldecode(output.connector_config).batching.max-bytes == 921600 && yamldecode(output.esp_config).batching.max-bytes == 921600 && output.url == "https://ingest.shop.example:8443/"
    error_message = "Batches are larger than a balancer takes."
  }

  assert {
    condition = { for q in aws_cloudwatch_metric_alarm.alarm["front-errors"].metric_query : q.id => try(one(q.metric).dimensions, null) }["metric"] == tomap({
      LoadBalancer = "app/shop/0123456789abcdef", TargetGroup = "targetgroup/aerosink/0123456789abcdef"
    })
    error_message = "The alarm watches another balancer."
  }
}

run "alb_in_a_private_network" {
  command = plan

  variables {
    front  = "alb"
    tokens = null
    alb    = { listener = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/shop/0123456789abcdef/fedcba9876543210", url = "http://ingest.internal" }
  }

  assert {
    condition     = !contains(keys(local.environment), "AUTH_TOKENS_SECRET") && length(aws_secretsmanager_secret.tokens) == 0 && output.store_token == null
    error_message = "There are tokens."
  }

  assert {
    condition     = !can(yamldecode(output.connector_config).destinations.function.auth) && !can(yamldecode(output.esp_config).destinations.aerosink.headers)
    error_message = "Connectors send a token."
  }
}

run "rest_proxy" {
  command = plan

  variables {
    front = "rest-proxy"
  }

  assert {
    condition     = aws_api_gateway_rest_api.this[0].binary_media_types == tolist(["*/*"])
    error_message = "The REST API destroys binary bodies."
  }

  assert {
    condition     = alltrue([for i in aws_api_gateway_integration.this : i.type == "AWS_PROXY" && i.integration_http_method == "POST"]) && [for m in aws_api_gateway_method.this : m.http_method] == ["GET", "POST", "GET"]
    error_message = "The REST API has unexpected methods, or an integration without proxy, which answers failures with 200."
  }

  assert {
    condition     = aws_api_gateway_resource.proxy[0].path_part == "{proxy+}" && output.url == "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/changes/"
    error_message = "Unexpected paths: ${output.url}"
  }

  assert {
    condition     = aws_lambda_permission.front.source_arn == "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/*"
    error_message = "Others than the API can invoke the function."
  }
}

run "tokens_for_all_from_the_internet" {
  command = plan

  variables {
    tokens = null
  }

  expect_failures = [var.tokens]
}

run "balancer_without_listener" {
  command = plan

  variables {
    front = "alb"
  }

  expect_failures = [var.alb]
}
