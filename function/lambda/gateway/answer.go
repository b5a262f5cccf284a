package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// answer is what a function answers. The members that a front does not know are ignored.
type answer struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription"`
	Headers           map[string]string   `json:"headers"`
	MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
	Cookies           []string            `json:"cookies"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`

	hasStatus bool
}

// parseAnswer parses an answer. It is stricter than AWS, which also takes numbers for headers.
func parseAnswer(text []byte) (*answer, error) {
	var members map[string]json.RawMessage
	a := new(answer)
	if err := json.Unmarshal(text, &members); err != nil {
		return a, errors.New("the function's answer is not a JSON object")
	}
	_, a.hasStatus = members["statusCode"]
	if err := json.Unmarshal(text, a); err != nil {
		return a, fmt.Errorf("the function's answer: %w", err)
	}
	return a, nil
}

func (a *answer) checkStatus() error {
	if a.StatusCode < 200 || a.StatusCode > 599 {
		return fmt.Errorf("the function's answer has statusCode %d, want 200 to 599", a.StatusCode)
	}
	return nil
}

// Answer writes the response that the front makes of the function's answer. If the front does
// not understand the answer, the response is the front's own, and the error says why. An HTTP
// API with payload format 2.0 and a function URL take JSON without a statusCode for the body of
// a 200, as AWS documents it.
func (g *Gateway) Answer(w http.ResponseWriter, response []byte) error {
	switch g.Front {
	case RESTTemplates:
		return g.answerTemplates(w, response)
	case RESTCustom:
		return g.answerCustom(w, response)
	case HTTPAPI2, FunctionURL:
		if a, _ := parseAnswer(response); !a.hasStatus && json.Valid(response) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(response) // the client may have gone
			return nil
		}
	}
	a, err := parseAnswer(response)
	if err == nil {
		err = a.checkStatus()
	}
	var body []byte
	if err == nil {
		body, err = g.responseBody(a)
	}
	if err == nil {
		err = g.checkHeaders(a)
	}
	if err != nil {
		g.malformed(w)
		return err
	}
	g.writeHeaders(w.Header(), a)
	w.WriteHeader(a.StatusCode)
	_, _ = w.Write(body) // the client may have gone, or the status has no body
	return nil
}

// responseBody returns the bytes of the body.
func (g *Gateway) responseBody(a *answer) ([]byte, error) {
	if !a.IsBase64Encoded || g.Front == RESTProxy && len(g.BinaryMediaTypes) == 0 {
		return []byte(a.Body), nil
	}
	body, err := base64.StdEncoding.DecodeString(a.Body)
	if err != nil {
		return nil, errors.New("the function's answer says that its body is Base64, and it is not")
	}
	return body, nil
}

// checkHeaders reports what a load balancer misses: the headers in the member that its target
// group is set for.
func (g *Gateway) checkHeaders(a *answer) error {
	switch {
	case g.Front == ALB && a.Headers == nil && a.MultiValueHeaders != nil:
		return errors.New("the function's answer has multiValueHeaders, want headers")
	case g.Front == ALBMulti && a.MultiValueHeaders == nil && a.Headers != nil:
		return errors.New("the function's answer has headers, want multiValueHeaders")
	}
	return nil
}

// writeHeaders writes the headers of an answer, without those that belong to the front. Where a
// front takes both members, multiValueHeaders wins.
func (g *Gateway) writeHeaders(header http.Header, a *answer) {
	if g.Front != ALBMulti {
		for name, value := range a.Headers {
			header.Set(name, value)
		}
	}
	switch g.Front {
	case HTTPAPI1, RESTProxy, ALBMulti:
		for name, values := range a.MultiValueHeaders {
			header[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
		}
	case HTTPAPI2, FunctionURL:
		for _, cookie := range a.Cookies {
			header.Add("Set-Cookie", cookie)
		}
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Upgrade"} {
		header.Del(name)
	}
	switch {
	case header.Get("Content-Type") != "":
	case g.Front == RESTProxy:
		header.Set("Content-Type", "application/json")
	default:
		header["Content-Type"] = nil // net/http would guess
	}
}
