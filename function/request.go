package function

import (
	"fmt"
	"mime"
	"net/http"
	"time"
)

const (
	// answerTimeout is for an answer to be taken.
	answerTimeout = 10 * time.Second

	// lingerTimeout is for what is still to come of a body that was refused.
	lingerTimeout = 500 * time.Millisecond
)

// finish makes the connection ready for an answer, whose problem is nil where it is
// a plain 200: the peer must take it in time, and what the body still has is waited
// for no longer. Over HTTP/2 it is the stream that ends, and an answer without a body
// waits for nobody.
func finish(w http.ResponseWriter, req *http.Request, p *problem) {
	control := http.NewResponseController(w)
	if req.ProtoMajor == 1 || p != nil {
		_ = control.SetWriteDeadline(time.Now().Add(answerTimeout)) // a recorder of tests has none
	}
	if req.ProtoMajor > 1 || p == nil || p.Status == http.StatusOK {
		return
	}
	switch p.Status {
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout, http.StatusRequestHeaderFieldsTooLarge:
		w.Header().Set("Connection", "close")
	}
	if p.Status != http.StatusRequestTimeout {
		_ = control.SetReadDeadline(time.Now().Add(lingerTimeout))
	}
}

// mediaTypeOf returns the request's media type in lower case, without parameters.
func mediaTypeOf(req *http.Request) (string, error) {
	header := req.Header.Get("Content-Type")
	mediaType, _, err := mime.ParseMediaType(header)
	if err != nil {
		return "", &problem{Status: http.StatusUnsupportedMediaType, Detail: fmt.Sprintf("Content-Type %.80q is no media type", header)}
	}
	return mediaType, nil
}

// headerSize returns the bytes of the request's header as HTTP/1.1 has it.
func headerSize(req *http.Request) int {
	const line = len(": \r\n")
	n := len(req.Method) + len(req.RequestURI) + len(req.Proto) + line + len("Host") + len(req.Host) + line
	for name, values := range req.Header {
		for _, value := range values {
			n += len(name) + len(value) + line
		}
	}
	return n
}
