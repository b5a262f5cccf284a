package kinesis

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/function/sink/ordered"
)

// putProtocol is the protocol of one PutRecords (AWS JSON 1.1, as in the model of the service).
// The records come as JSON, and the results go where the sender wants them. All else, such as
// error responses, is left to the SDK's protocol.
type putProtocol struct {
	smithyhttp.ClientProtocol

	arn     string
	records []record
	results []ordered.Result // of the records; set by a response with status 200
	bytes   int              // of the request's body
}

// SerializeRequest implements [smithyhttp.ClientProtocol].
func (p *putProtocol) SerializeRequest(_ context.Context, _ *smithy.OperationSchema, _ smithy.Serializable, r *smithyhttp.Request) error {
	r.Method = http.MethodPost
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	r.Header.Set("X-Amz-Target", "Kinesis_20131202.PutRecords")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	b := newBody(p.arn, p.records)
	p.bytes = b.size
	with, err := r.SetStream(b)
	if err != nil {
		return err
	}
	*r = *with
	return nil
}

// DeserializeResponse implements [smithyhttp.ClientProtocol].
func (p *putProtocol) DeserializeResponse(ctx context.Context, schema *smithy.OperationSchema, types *smithy.TypeRegistry, resp *smithyhttp.Response, out smithy.Deserializable) error {
	if resp.StatusCode != http.StatusOK {
		return p.ClientProtocol.DeserializeResponse(ctx, schema, types, resp, out)
	}
	d, _ := decoders.Get().(*jsontext.Decoder)
	defer decoders.Put(d)
	d.Reset(resp.Body, jsontext.AllowDuplicateNames(true)) // so that no names are kept
	r := resultReader{json: d, results: p.results}
	if err := r.read(); err != nil {
		return &smithy.DeserializationError{Err: fmt.Errorf("read the response of Kinesis: %w", err)}
	}
	return nil
}

var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// resultReader reads the results of the records from a response.
type resultReader struct {
	json    *jsontext.Decoder
	results []ordered.Result
	done    int // results read
}

// read reads a whole response. It is an error if there is not one result for each record.
func (r *resultReader) read() error {
	if err := r.delimiter('{'); err != nil {
		return err
	}
	for r.json.PeekKind() != '}' {
		name, err := r.json.ReadValue()
		switch {
		case err != nil:
		case string(name) == `"Records"`:
			err = r.list()
		default:
			err = r.json.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	if r.done != len(r.results) {
		return fmt.Errorf("%s for %s", plural.Of(r.done, "result"), plural.Of(len(r.results), "record"))
	}
	return r.delimiter('}')
}

func (r *resultReader) list() error {
	if err := r.delimiter('['); err != nil {
		return err
	}
	for r.json.PeekKind() != ']' {
		if r.done == len(r.results) {
			return fmt.Errorf("more than %s for as many records", plural.Of(r.done, "result"))
		}
		if err := r.result(&r.results[r.done]); err != nil {
			return err
		}
		r.done++
	}
	return r.delimiter(']')
}

func (r *resultReader) result(result *ordered.Result) error {
	if err := r.delimiter('{'); err != nil {
		return err
	}
	var number bool
	var code, message string
	for r.json.PeekKind() != '}' {
		name, err := r.json.ReadValue()
		switch {
		case err != nil:
		case string(name) == `"SequenceNumber"`:
			number = r.json.PeekKind() == '"'
			err = r.json.SkipValue()
		case string(name) == `"ErrorCode"`:
			code, err = r.text()
		case string(name) == `"ErrorMessage"`:
			message, err = r.text()
		default:
			err = r.json.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	switch {
	case code != "":
		*result = resultOfRecord(code, message)
	case number:
		*result = ordered.Result{}
	default:
		return errors.New("a result with neither a sequence number nor an error")
	}
	return r.delimiter('}')
}

// text reads a string. Null is empty.
func (r *resultReader) text() (string, error) {
	token, err := r.json.ReadToken()
	if err != nil || token.Kind() == 'n' {
		return "", err
	}
	return token.String(), nil
}

// delimiter reads a brace or bracket.
func (r *resultReader) delimiter(kind jsontext.Kind) error {
	token, err := r.json.ReadToken()
	if err == nil && token.Kind() != kind {
		err = fmt.Errorf("%s where a %s is expected", token.Kind(), kind)
	}
	return err
}
