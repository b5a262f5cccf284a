package function

import (
	"fmt"
	"mime"
	"net/http"

	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/function/problem"
)

// endpoint is what a request is for, according to its path and method.
type endpoint int

const (
	noEndpoint        endpoint = iota // an unknown path
	changesEndpoint                   // a POST to /
	healthEndpoint                    // a health check at / or /healthz: is the process alive?
	readinessEndpoint                 // a health check at /readyz: could changes be stored?
)

const readinessPath = "/readyz"

// healthMethods are the methods of a health check. Aerospike's connector may use any of them.
const healthMethods = "GET, HEAD, OPTIONS"

// endpointOf returns what a request is for. The error is a problem with status 405 for a
// method that the path does not have, and for a health check that carries changes.
func endpointOf(req *http.Request) (endpoint, error) {
	found, allow := healthEndpoint, healthMethods
	switch req.URL.Path {
	case "/":
		if req.Method == http.MethodPost {
			return changesEndpoint, nil
		}
		allow += ", POST"
	case "/healthz":
	case readinessPath:
		found = readinessEndpoint
	default:
		return noEndpoint, nil
	}
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		if !carriesChanges(req) {
			return found, nil
		}
		return noEndpoint, methodNotAllowed(allow, "%s stores nothing; was this POST redirected? POST changes to the final URL", req.Method)
	case http.MethodPost:
		return noEndpoint, methodNotAllowed(allow, "POST changes to /")
	}
	return noEndpoint, methodNotAllowed(allow, "%.20s stores nothing; POST changes to /", req.Method)
}

// carriesChanges reports whether a request that is not a POST has a body, or the media type
// of one that held changes. Clients that follow a redirect with the status 301, 302 or 303
// turn a POST into a GET without a body, and some keep its header.
func carriesChanges(req *http.Request) bool {
	mediaType, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type")) // parameters do not matter
	return req.ContentLength != 0 || formats.CheckMediaType(mediaType) == nil
}

func methodNotAllowed(allow, detail string, args ...any) error {
	return &problem.Problem{
		Status: http.StatusMethodNotAllowed,
		Detail: fmt.Sprintf(detail, args...),
		Header: http.Header{"Allow": {allow}},
	}
}

// notFound returns the problem for an unknown path.
func notFound(path string) error {
	detail := "POST changes to /"
	if path == "/metrics" {
		detail = "metrics are on METRICS_PORT"
	}
	return &problem.Problem{Status: http.StatusNotFound, Detail: detail}
}
