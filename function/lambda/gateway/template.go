package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// RequestTemplate and TextTemplate are our mapping templates for the requests of a REST API
// without proxy integration: RequestTemplate for the media types in its binaryMediaTypes, with
// contentHandling CONVERT_TO_TEXT, which gives the template Base64, and TextTemplate for all
// others. The member aerosink tells the function that the answers are mapped too. They have not
// been tried on AWS.
const (
	RequestTemplate = templateHead + `"body":"$input.body"}`
	TextTemplate    = templateHead + `"body":"$util.base64Encode($input.body)"}`

	templateHead = `{"aerosink":1,"httpMethod":"$context.httpMethod","stage":"$context.stage","path":"$context.path",` +
		`"headers":{#foreach($name in $input.params().header.keySet())` +
		`"$name":"$util.escapeJavaScript($input.params().header.get($name)).replaceAll("\\'","'")"#if($foreach.hasNext),#end#end},` +
		`"isBase64Encoded":true,`
)

// ResponseTemplate is our mapping template of the default integration response: the status and
// the body are those of the function's answer, and its headers are lost. That response's own
// status is 503, so that senders try again if it stays. ErrorPattern is the
// selectionPattern of a second integration response, with the status 500, for a function that
// fails or takes too long: without it that is a 200.
const (
	ResponseTemplate = `#set($context.responseOverride.status = $input.path('$.statusCode'))$input.path('$.body')`
	ErrorPattern     = `(\n|.)+`
)

// eventTemplate is the event that our request templates write.
type eventTemplate struct {
	Aerosink        int               `json:"aerosink"`
	HTTPMethod      string            `json:"httpMethod"`
	Stage           string            `json:"stage"`
	Path            string            `json:"path"`
	Headers         map[string]string `json:"headers"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	Body            string            `json:"body"`
}

// eventTemplates returns the event of our templates. A body that is not in binaryMediaTypes is
// Base64 of text, in which what was no text is lost already.
func (g *Gateway) eventTemplates(r *http.Request, body []byte) []byte {
	header := last(g.header(r, len(body)))
	text, encoded := g.encode(r.Header, body)
	if !encoded {
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return appendJSON(nil, eventTemplate{1, r.Method, g.stage(), g.apiPath(r), header, true, text})
}

// eventCustom returns the event of a template that passes the method, and the body as JSON:
// {"httpMethod":"$context.httpMethod","body":$input.json('$')}. The JSON is written anew. What
// is not JSON does not pass.
func (g *Gateway) eventCustom(r *http.Request, body []byte) ([]byte, error) {
	var value any = map[string]any{} // of an empty body
	if len(body) > 0 {
		d := json.NewDecoder(strings.NewReader(strings.ToValidUTF8(string(body), "\uFFFD")))
		d.UseNumber()
		if err := d.Decode(&value); err != nil {
			return nil, errors.New("the body is not JSON")
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return nil, errors.New("the body is more than one JSON value")
		}
	}
	return appendJSON(nil, map[string]any{"httpMethod": r.Method, "body": value}), nil
}

// answerTemplates writes the response that [ResponseTemplate] makes of an answer.
func (g *Gateway) answerTemplates(w http.ResponseWriter, answer []byte) error {
	a, err := parseAnswer(answer)
	if err == nil {
		err = a.checkStatus()
	}
	if err != nil {
		g.malformed(w)
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.StatusCode)
	_, _ = io.WriteString(w, a.Body) // the client may have gone
	return nil
}

// answerCustom writes the response of an integration without a mapping: the function's answer,
// whatever it says.
func (g *Gateway) answerCustom(w http.ResponseWriter, answer []byte) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // the client may have gone
	return nil
}
