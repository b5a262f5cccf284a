package fake

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"
)

// rpc is what the JSON protocols of SQS (1.0) and Kinesis (1.1) have in common: an operation
// in the header X-Amz-Target, and JSON both ways.
type rpc struct {
	target      string // what operations are prefixed with, such as AmazonSQS
	contentType string // the only one that the service takes
	signedFor   string // the service in signatures
}

// rpcError is an error response.
type rpcError struct {
	code, message string
}

// operation returns the operation of a request, or why it is refused.
func (p *rpc) operation(r *http.Request) (string, *rpcError) {
	if code := checkSignature(r, p.signedFor); code != "" {
		return "", &rpcError{code, "The request is not signed for " + p.signedFor + " in " + Region + "."}
	}
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), p.target+".")
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if !ok || r.Method != http.MethodPost || r.URL.Path != "/" {
		return "", &rpcError{"UnknownOperationException", "The request is not a POST of an operation of " + p.target + " to /."}
	}
	if err != nil || mediaType != p.contentType {
		return "", &rpcError{"SerializationException", "The Content-Type is not " + p.contentType + "."}
	}
	return operation, nil
}

// unmarshal decodes a request. It replaces what is not UTF-8 by U+FFFD.
func unmarshal(body []byte, v any) *rpcError {
	if err := json.Unmarshal(body, v); err != nil {
		return &rpcError{"SerializationException", err.Error()}
	}
	return nil
}

// respond returns a response with status 200.
func (p *rpc) respond(v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // all responses are structs of text and numbers
	}
	return answer{http.StatusOK, p.header(), body}
}

// refuse returns an error response.
func (p *rpc) refuse(status int, namespace, code, message string) answer {
	body, err := json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{namespace + code, message})
	if err != nil {
		panic(err) // two strings
	}
	return answer{status, p.header(), body}
}

func (p *rpc) header() http.Header {
	return http.Header{"Content-Type": {p.contentType}, "X-Amzn-Requestid": {"00000000-0000-4000-8000-000000000000"}}
}
