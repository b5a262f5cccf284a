package gateway

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Front is a kind of HTTP front of Lambda.
type Front int

// The fronts. A REST API without proxy integration passes what its templates write: ours
// ([RequestTemplate], [ResponseTemplate]), or those of most examples on the web, with which
// every failure of the function is a 200.
const (
	HTTPAPI2      Front = iota // API Gateway, HTTP API, payload format 2.0
	HTTPAPI1                   // API Gateway, HTTP API, payload format 1.0
	RESTProxy                  // API Gateway, REST API with proxy integration
	RESTTemplates              // API Gateway, REST API without proxy, with our templates
	RESTCustom                 // the same with templates that pass the body as JSON and map no errors
	ALB                        // Application Load Balancer
	ALBMulti                   // the same, with multi-value headers on
	FunctionURL                // Lambda function URL
	numFronts     = iota
)

// limits are the limits of a front
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html,
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html,
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
type limits struct {
	request  int           // bytes of a body
	response int           // bytes of the function's answer in JSON
	header   int           // bytes of the request line and all headers; 0 is that of net/http
	timeout  time.Duration // of the function; 0 is that of Lambda alone
}

// maxEvent is the size of the largest event, and of the largest answer of a function, in
// bytes. A load balancer's limits are lower.
const maxEvent = 6 << 20

// fronts has the name, the service's description and the limits of each front.
var fronts = [numFronts]struct {
	name, description string
	limits
}{
	HTTPAPI2:      {"http-api", "API Gateway HTTP API", limits{10 << 20, maxEvent, 10_240, 30 * time.Second}},
	HTTPAPI1:      {"http-api-1", "API Gateway HTTP API, payload format 1.0", limits{10 << 20, maxEvent, 10_240, 30 * time.Second}},
	RESTProxy:     {"rest-api", "API Gateway REST API, proxy integration", limits{10 << 20, maxEvent, 10_240, 29 * time.Second}},
	RESTTemplates: {"rest-templates", "API Gateway REST API, no proxy, our templates", limits{10 << 20, maxEvent, 10_240, 29 * time.Second}},
	RESTCustom:    {"rest-custom", "API Gateway REST API, no proxy, templates of others", limits{10 << 20, maxEvent, 10_240, 29 * time.Second}},
	ALB:           {"alb", "Application Load Balancer", limits{1 << 20, 1 << 20, 0, 0}},
	ALBMulti:      {"alb-multi", "Application Load Balancer, multi-value headers", limits{1 << 20, 1 << 20, 0, 0}},
	FunctionURL:   {"function-url", "Lambda function URL", limits{maxEvent, maxEvent, 0, 0}},
}

// Names returns the names of all fronts, as [ParseFront] takes them.
func Names() []string {
	names := make([]string, numFronts)
	for f := range fronts {
		names[f] = fronts[f].name
	}
	return names
}

// ParseFront returns the front with this name.
func ParseFront(name string) (Front, error) {
	if i := slices.Index(Names(), name); i >= 0 {
		return Front(i), nil
	}
	return 0, fmt.Errorf("unknown front %q: want one of %s", name, strings.Join(Names(), ", "))
}

// String returns the name of the front.
func (f Front) String() string { return fronts[f].name }

// Description returns what AWS calls the front.
func (f Front) Description() string { return fronts[f].description }

// isRESTAPI reports whether the front is a REST API of API Gateway, whose configuration says
// which bodies are binary.
func (f Front) isRESTAPI() bool { return f == RESTProxy || f == RESTTemplates || f == RESTCustom }
