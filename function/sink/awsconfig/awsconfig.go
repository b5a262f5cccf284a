// Package awsconfig has what the clients of all AWS sinks share: credentials, region, and an
// HTTP client. A region comes in, a configuration goes out, from which the packages of the
// services make their clients.
//
// Credentials and endpoints are looked for as by all AWS SDKs: in the environment, the shared
// files and the role of the machine or function. AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_SQS
// (KINESIS, S3) name another endpoint, such as an emulator's.
package awsconfig

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
)

const (
	// connections is how many idle connections a client keeps. The SDK's default of 10 would
	// open new ones all the time when more calls than that are in flight.
	connections = 64

	// dialTimeout leaves time for a second attempt within the 9 s of a request.
	dialTimeout = 3 * time.Second
)

// Load returns the configuration of the clients of a region. The context applies to loading
// only. Clients make one attempt for each call: sinks know better than the SDK what may be
// repeated, in which order, and for how long. The SDK would wait a second after the first
// sign of throttling.
//
// A missing file or role is found when the first call is made, not here.
func Load(ctx context.Context, region string) (aws.Config, error) {
	client := awshttp.NewBuildableClient().
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = connections, connections
			t.ForceAttemptHTTP2 = true
		}).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout })
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithHTTPClient(client), config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
	if err != nil {
		return aws.Config{}, fmt.Errorf("load the configuration of AWS: %w", err)
	}
	if b, ok := c.HTTPClient.(*awshttp.BuildableClient); ok { // loading may have added AWS_CA_BUNDLE
		c.HTTPClient = &http.Client{Transport: b.GetTransport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return c, nil
}

// CloseIdleConnections closes the connections that the client of a configuration from [Load]
// keeps for further calls.
func CloseIdleConnections(c aws.HTTPClient) {
	if client, ok := c.(*http.Client); ok {
		client.CloseIdleConnections()
	}
}
