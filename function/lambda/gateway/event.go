package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"mime"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// Names that AWS gives: those of an example, which no request depends on.
const (
	account     = "123456789012"
	apiID       = "a1b2c3d4e5"
	region      = "eu-west-1"
	targetGroup = "arn:aws:elasticloadbalancing:" + region + ":" + account + ":targetgroup/aerosink/6d0ecf831eec9f09"
	timeLayout  = "02/Jan/2006:15:04:05 -0700"
)

// Event returns the event that the front makes of a request and its body. The error is one of a
// REST API that wants JSON.
func (g *Gateway) Event(r *http.Request, body []byte) ([]byte, error) {
	switch g.Front {
	case HTTPAPI2, FunctionURL:
		return appendJSON(nil, g.event2(r, body)), nil
	case HTTPAPI1, RESTProxy:
		return appendJSON(nil, g.event1(r, body)), nil
	case ALB, ALBMulti:
		return appendJSON(nil, g.eventALB(r, body)), nil
	case RESTTemplates:
		return g.eventTemplates(r, body), nil
	case RESTCustom:
		return g.eventCustom(r, body)
	}
	panic(fmt.Sprintf("gateway: unknown front %d", g.Front))
}

// event2 is payload format 2.0 of an HTTP API, which function URLs have too.
type event2 struct {
	Version         string            `json:"version"`
	RouteKey        string            `json:"routeKey"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies,omitempty"`
	Headers         map[string]string `json:"headers"`
	Query           map[string]string `json:"queryStringParameters,omitempty"`
	Context         context2          `json:"requestContext"`
	Body            *string           `json:"body,omitempty"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type context2 struct {
	AccountID    string `json:"accountId"`
	APIID        string `json:"apiId"`
	DomainName   string `json:"domainName"`
	DomainPrefix string `json:"domainPrefix"`
	HTTP         http2  `json:"http"`
	RequestID    string `json:"requestId"`
	RouteKey     string `json:"routeKey"`
	Stage        string `json:"stage"`
	Time         string `json:"time"`
	TimeEpoch    int64  `json:"timeEpoch"`
}

type http2 struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

// event2 returns an event in which names of headers are in lower case, repeated headers and
// parameters are joined with commas, and cookies are apart.
func (g *Gateway) event2(r *http.Request, body []byte) *event2 {
	now := g.time()
	e := &event2{
		Version: "2.0", RouteKey: "$default", RawPath: g.apiPath(r), RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{}, Query: map[string]string{},
		Context: context2{
			AccountID: account, APIID: apiID, DomainName: g.domain(), RouteKey: "$default", Stage: g.stage(),
			RequestID: g.id(), Time: now.Format(timeLayout), TimeEpoch: now.UnixMilli(),
		},
	}
	if g.Front == FunctionURL {
		e.Context.AccountID, e.Context.Stage, e.RawPath = "anonymous", "$default", escapedPath(r)
	}
	e.Context.DomainPrefix, _, _ = strings.Cut(e.Context.DomainName, ".")
	header := g.header(r, len(body))
	for _, line := range header["Cookie"] {
		e.Cookies = append(e.Cookies, strings.Split(line, "; ")...)
	}
	delete(header, "Cookie")
	for name, values := range header {
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	for name, values := range query(r) {
		e.Query[name] = strings.Join(values, ",")
	}
	e.Context.HTTP = http2{r.Method, e.RawPath, r.Proto, clientIP(r), r.UserAgent()}
	if len(body) > 0 {
		text, encoded := g.encode(r.Header, body)
		e.Body, e.IsBase64Encoded = &text, encoded
	}
	return e
}

// event1 is payload format 1.0 of an HTTP API, and the event of a REST API.
type event1 struct {
	Version           string              `json:"version,omitempty"`
	Resource          string              `json:"resource"`
	Path              string              `json:"path"`
	HTTPMethod        string              `json:"httpMethod"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Query             map[string]string   `json:"queryStringParameters"`           // null if there are none
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters"` // the same
	PathParameters    *struct{}           `json:"pathParameters"`                  // always null: the route is /
	StageVariables    *struct{}           `json:"stageVariables"`                  // always null
	Context           context1            `json:"requestContext"`
	Body              *string             `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

type context1 struct {
	AccountID         string   `json:"accountId"`
	APIID             string   `json:"apiId"`
	DomainName        string   `json:"domainName"`
	DomainPrefix      string   `json:"domainPrefix"`
	ExtendedRequestID string   `json:"extendedRequestId"`
	HTTPMethod        string   `json:"httpMethod"`
	Identity          identity `json:"identity"`
	Path              string   `json:"path"`
	Protocol          string   `json:"protocol"`
	RequestID         string   `json:"requestId"`
	RequestTime       string   `json:"requestTime"`
	RequestTimeEpoch  int64    `json:"requestTimeEpoch"`
	ResourceID        string   `json:"resourceId"`
	ResourcePath      string   `json:"resourcePath"`
	Stage             string   `json:"stage"`
}

type identity struct {
	AccessKey *string `json:"accessKey"`
	SourceIP  string  `json:"sourceIp"`
	UserAgent string  `json:"userAgent"`
}

// event1 returns an event with the last value of each header and parameter, and beside it all
// of them. Names of headers are as the client has sent them, as far as net/http keeps that.
func (g *Gateway) event1(r *http.Request, body []byte) *event1 {
	now, id := g.time(), g.id()
	all := map[string][]string{}
	for name, values := range g.header(r, len(body)) {
		if r.ProtoMajor > 1 {
			name = strings.ToLower(name)
		}
		all[name] = values
	}
	multi := query(r)
	e := &event1{
		Resource: "/", Path: escapedPath(r), HTTPMethod: r.Method, Headers: last(all), MultiValueHeaders: all,
		Query: last(multi), MultiValueQuery: multi,
		Context: context1{
			AccountID: account, APIID: apiID, DomainName: g.domain(), DomainPrefix: apiID, ExtendedRequestID: id, RequestID: id,
			HTTPMethod: r.Method, Identity: identity{SourceIP: clientIP(r), UserAgent: r.UserAgent()}, Path: g.apiPath(r), Protocol: r.Proto,
			RequestTime: now.Format(timeLayout), RequestTimeEpoch: now.UnixMilli(), ResourceID: "abc123", ResourcePath: "/", Stage: g.stage(),
		},
	}
	if g.Front == HTTPAPI1 {
		e.Version, e.Path = "1.0", e.Context.Path
	}
	if len(body) > 0 {
		text, encoded := g.encode(r.Header, body)
		e.Body, e.IsBase64Encoded = &text, encoded
	}
	return e
}

// eventALB is the event of a load balancer. It has the members with one value or those with
// several, as the target group says, and never both.
type eventALB struct {
	Context           contextALB          `json:"requestContext"`
	HTTPMethod        string              `json:"httpMethod"`
	Path              string              `json:"path"`
	Query             map[string]string   `json:"queryStringParameters,omitzero"`
	MultiValueQuery   map[string][]string `json:"multiValueQueryStringParameters,omitzero"`
	Headers           map[string]string   `json:"headers,omitzero"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders,omitzero"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

type contextALB struct {
	ELB struct {
		TargetGroupARN string `json:"targetGroupArn"`
	} `json:"elb"`
}

// eventALB returns an event in which names of headers are in lower case, and parameters are as
// they stand in the URL. Without multi-value headers the last value counts.
func (g *Gateway) eventALB(r *http.Request, body []byte) *eventALB {
	e := &eventALB{HTTPMethod: r.Method, Path: escapedPath(r)}
	e.Context.ELB.TargetGroupARN = targetGroup
	all := map[string][]string{}
	for name, values := range g.header(r, len(body)) {
		all[strings.ToLower(name)] = values
	}
	parameters := map[string][]string{}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if name, value, _ := strings.Cut(pair, "="); pair != "" {
			parameters[name] = append(parameters[name], value)
		}
	}
	if g.Front == ALBMulti {
		e.MultiValueHeaders, e.MultiValueQuery = all, parameters
	} else if e.Headers, e.Query = last(all), last(parameters); e.Query == nil {
		e.Query = map[string]string{}
	}
	if len(body) > 0 {
		e.Body, e.IsBase64Encoded = g.encode(r.Header, body)
	}
	return e
}

// encode returns the body as it stands in an event, and whether that is Base64. Bytes that are
// no text, and that the front takes for text all the same, become U+FFFD.
func (g *Gateway) encode(header http.Header, body []byte) (text string, encoded bool) {
	if g.isBinary(header) {
		return base64.StdEncoding.EncodeToString(body), true
	}
	return strings.ToValidUTF8(string(body), "\uFFFD"), false
}

// isBinary reports whether the front passes a body with these headers as Base64. An HTTP API
// and a load balancer know four types of text; a load balancer takes all that is compressed for
// binary as well. A REST API asks its binaryMediaTypes.
func (g *Gateway) isBinary(header http.Header) bool {
	mediaType, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	if g.Front.isRESTAPI() {
		return g.isListed(mediaType)
	}
	if (g.Front == ALB || g.Front == ALBMulti) && header.Get("Content-Encoding") != "" {
		return true
	}
	switch mediaType {
	case "application/json", "application/xml", "application/javascript":
		return false
	}
	return !strings.HasPrefix(mediaType, "text/")
}

// isListed reports whether a media type is one of the binaryMediaTypes. A missing one is JSON
// for a REST API.
func (g *Gateway) isListed(mediaType string) bool {
	if mediaType == "" {
		mediaType = "application/json"
	}
	for _, pattern := range g.BinaryMediaTypes {
		pattern = strings.ToLower(pattern)
		if pattern == "*/*" || pattern == mediaType {
			return true
		}
		if group, ok := strings.CutSuffix(pattern, "/*"); ok && path.Dir(mediaType) == group {
			return true
		}
	}
	return false
}

// header returns the headers of the request as the front passes them on: with Host, with those
// that it adds, and without those of the connection.
func (g *Gateway) header(r *http.Request, length int) http.Header {
	header := r.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length"} {
		header.Del(name)
	}
	if length > 0 {
		header.Set("Content-Length", strconv.Itoa(length))
	}
	header.Set("Host", r.Host)
	if header.Get("X-Amzn-Trace-Id") == "" {
		header.Set("X-Amzn-Trace-Id", traceID(g.time(), g.id()))
	}
	if ip := clientIP(r); ip != "" {
		if before := header.Get("X-Forwarded-For"); before != "" {
			ip = before + ", " + ip
		}
		header.Set("X-Forwarded-For", ip)
	}
	header.Set("X-Forwarded-Port", "443")
	header.Set("X-Forwarded-Proto", "https")
	return header
}

// traceID returns the trace of a request, as X-Ray has it: the time, and 96 bits of the
// request's identifier.
func traceID(now time.Time, id string) string {
	sum := fnv.New128a()
	_, _ = sum.Write([]byte(id))
	return fmt.Sprintf("Root=1-%08x-%x", uint32(now.Unix()), sum.Sum(nil)[:12])
}

// domain returns the name of the host that the front has without a custom domain.
func (g *Gateway) domain() string {
	if g.Front == FunctionURL {
		return apiID + ".lambda-url." + region + ".on.aws"
	}
	return apiID + ".execute-api." + region + ".amazonaws.com"
}

// apiPath returns the path of a request, after the stage if the API's URLs have one.
func (g *Gateway) apiPath(r *http.Request) string {
	if stage := g.stage(); stage != "$default" {
		return "/" + stage + escapedPath(r)
	}
	return escapedPath(r)
}

// escapedPath returns the path of a request, as it was sent. It is never empty.
func escapedPath(r *http.Request) string {
	if p := r.URL.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

// clientIP returns the IP address of the client, "" if it is not known.
func clientIP(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// query returns the parameters of a request, nil if there are none.
func query(r *http.Request) map[string][]string {
	values, _ := url.ParseQuery(r.URL.RawQuery) // the front keeps those that it can read
	if len(values) == 0 {
		return nil
	}
	return values
}

// last returns the last value of each name, nil if there are none.
func last(all map[string][]string) map[string]string {
	var one map[string]string
	for name, values := range all {
		if len(values) == 0 {
			continue
		}
		if one == nil {
			one = make(map[string]string, len(all))
		}
		one[name] = values[len(values)-1]
	}
	return one
}

// appendJSON appends value in JSON.
func appendJSON(b []byte, value any) []byte {
	buffer := bytes.NewBuffer(b)
	e := json.NewEncoder(buffer)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic("gateway: a value cannot be written as JSON: " + err.Error())
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}
