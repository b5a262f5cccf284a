package function

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
)

// readBody reads the whole body, up to limit bytes.
func readBody(req *http.Request, limit int64) ([]byte, error) {
	if encoding := req.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, &problem{Status: http.StatusUnsupportedMediaType, Detail: fmt.Sprintf("Content-Encoding %q is not understood; send identity", encoding)}
	}
	tooLarge := &problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body has more than %d bytes, the limit of %s", limit, maxBody.Name)}
	if req.ContentLength > limit {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, req.Body, limit))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge
	case err != nil:
		return nil, &problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf("the body ends after %d bytes: %v", len(body), err)}
	}
	return body, nil
}

// mediaTypeOf returns the request's media type in lower case, without parameters.
func mediaTypeOf(req *http.Request) (string, error) {
	header := req.Header.Get("Content-Type")
	mediaType, _, err := mime.ParseMediaType(header)
	if err != nil {
		return "", &problem{Status: http.StatusUnsupportedMediaType, Detail: fmt.Sprintf("Content-Type %q is no media type", header)}
	}
	return mediaType, nil
}

// traceKey is where Cloud Logging looks for a line's trace.
const traceKey = "logging.googleapis.com/trace"

// trace returns the log attribute by which Cloud Logging joins lines of a request.
// The header is TRACE_ID/SPAN_ID;o=OPTIONS
// (https://cloud.google.com/trace/docs/trace-context).
func (r *Receiver) trace(req *http.Request) slog.Attr {
	id, _, _ := strings.Cut(req.Header.Get("X-Cloud-Trace-Context"), "/")
	name := project.of(r.getenv)
	if id == "" || name == "" {
		return slog.Attr{}
	}
	return slog.String(traceKey, "projects/"+name+"/traces/"+id) //nolint:sloglint // the key is Google's
}
