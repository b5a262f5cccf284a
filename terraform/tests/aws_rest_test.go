package tests

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/lambda"
	"github.com/aerosink/aerosink/function/lambda/gateway"
)

// restFile is the OpenAPI document of a REST API without proxy integration.
const restFile = "aws/rest-without-proxy.json"

// restIntegration is how one of its methods invokes the function.
type restIntegration struct {
	Type, HTTPMethod, URI, ContentHandling string
	RequestTemplates                       map[string]string
	Responses                              map[string]struct {
		StatusCode        string
		ResponseTemplates map[string]string
	}
}

func restIntegrations(t *testing.T) map[string]restIntegration {
	t.Helper()
	var file struct {
		Binary []string `json:"x-amazon-apigateway-binary-media-types"`
		Paths  map[string]map[string]struct {
			Integration restIntegration `json:"x-amazon-apigateway-integration"`
		}
	}
	if err := json.Unmarshal([]byte(read(t, restFile)), &file); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(file.Binary, []string{"*/*"}) {
		t.Errorf("binary media types %q; text would be forced into UTF-8", file.Binary)
	}
	all := map[string]restIntegration{}
	for path, methods := range file.Paths {
		for method, of := range methods {
			all[strings.ToUpper(method)+" "+path] = of.Integration
		}
	}
	return all
}

// The templates in the OpenAPI document are those that package gateway plays, for each media
// type that changes have. If API Gateway does not take over the status, senders try again:
// the status of the default response is no success.
func TestRESTWithoutProxy_templates(t *testing.T) {
	templates := map[string]string{}
	for _, media := range []string{format.MediaJSON, format.MediaNDJSON, format.MediaMessagePack, format.MediaAvro, format.MediaOctets, format.MediaXDR} {
		templates[media] = gateway.RequestTemplate
	}
	all := restIntegrations(t)
	for _, method := range []string{"GET /", "POST /"} {
		of, ok := all[method]
		if !ok || of.Type != "aws" || of.HTTPMethod != http.MethodPost || of.ContentHandling != "CONVERT_TO_TEXT" || !strings.HasSuffix(of.URI, "/functions/FUNCTION/invocations") {
			t.Errorf("%s: %+v", method, of)
		}
		if diff := cmp.Diff(templates, of.RequestTemplates); diff != "" {
			t.Errorf("%s: request templates (-want +got)\n%s", method, diff)
		}
		if got := of.Responses["default"]; got.StatusCode != "503" || got.ResponseTemplates["application/json"] != gateway.ResponseTemplate {
			t.Errorf("%s: default response %+v", method, got)
		}
		if got := of.Responses[gateway.ErrorPattern]; got.StatusCode != "500" || len(of.Responses) != 2 {
			t.Errorf("%s: a function that fails is answered %+v, want 500 and no other response", method, of.Responses)
		}
	}
}

// An event as the template writes it, with its variables replaced by what API Gateway gives
// them, becomes the request that was sent, byte for byte, and its answer shows a failure.
func TestRESTWithoutProxy_event(t *testing.T) {
	template := restIntegrations(t)["POST /"].RequestTemplates[format.MediaXDR]
	begin, rest, _ := strings.Cut(template, "#foreach")
	_, rest, _ = strings.Cut(rest, "#end#end")
	event := begin + `"Content-Type":"application/vnd.aerosink.xdr","Authorization":"Bearer t0ken"` + rest
	event = strings.NewReplacer("$context.httpMethod", http.MethodPost, "$context.stage", "prod", "$context.path", "/prod", "$input.body", "AP/+gA==").Replace(event)

	var got []string
	h := lambda.New(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = []string{r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body)}
		w.WriteHeader(http.StatusServiceUnavailable)
	}), lambda.Options{})
	answer, err := h.Invoke(t.Context(), []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"POST", "/", "application/vnd.aerosink.xdr", "Bearer t0ken", "\x00\xff\xfe\x80"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	w, front := httptest.NewRecorder(), &gateway.Gateway{Front: gateway.RESTTemplates}
	if err := front.Answer(w, answer); err != nil || w.Code != http.StatusServiceUnavailable {
		t.Errorf("answered %d, %v", w.Code, err)
	}
}
