package lambda

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// request returns the request that the event carries. Its body is valid until the event is
// freed.
func (h *Handler) request(ctx context.Context, e *event, f front) (*http.Request, error) {
	if err := e.completeBody(f); err != nil {
		return nil, err
	}
	header, err := e.header()
	if err != nil {
		return nil, err
	}
	query, err := e.queryString(f)
	if err != nil {
		return nil, err
	}
	req := (&http.Request{
		Method: e.method, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL:    location(h.path(e, f), query),
		Header: header, Host: header.Get("Host"), RemoteAddr: e.context.client,
		Body: http.NoBody, ContentLength: int64(len(e.body)),
	}).WithContext(ctx)
	if f == httpAPI2 || f == functionURL {
		req.Method = e.context.method
	}
	if req.Host == "" {
		req.Host = e.context.domain
	}
	if req.RemoteAddr == "" { // a load balancer adds the client at the end
		forwarded := header.Get("X-Forwarded-For")
		req.RemoteAddr = strings.TrimSpace(forwarded[strings.LastIndexByte(forwarded, ',')+1:])
	}
	header.Del("Host") // as net/http has it
	if len(e.body) > 0 {
		req.Body = &body{*bytes.NewReader(e.body)}
		if f == restTemplate || f == restOther {
			err = e.completeTemplate(req)
		}
	}
	if err != nil {
		return nil, err
	}
	req.RequestURI = req.URL.RequestURI()
	if err := e.brokenBody(f, header.Get("Content-Type"), strings.Join(header["Content-Encoding"], ",")); err != nil {
		return nil, err
	}
	h.trace(ctx, header)
	return req, nil
}

// completeBody decodes or checks the body.
func (e *event) completeBody(f front) error {
	switch {
	case e.kind == noBody:
		return nil
	case e.kind == stringBody && e.base64:
		return e.decodeBase64()
	case e.kind == stringBody:
		return e.checkText()
	case e.base64 || f != restTemplate && f != restOther:
		return errors.New("member body is JSON, want a string")
	}
	return nil
}

// body is the body of a request.
type body struct{ bytes.Reader }

// Close implements [io.Closer].
func (*body) Close() error { return nil }

// completeTemplate adds what the templates of a REST API without proxy may leave out. The error
// says that they leave out too much.
func (e *event) completeTemplate(req *http.Request) error {
	if req.Method == "" {
		req.Method = http.MethodPost
	}
	switch {
	case req.Header.Get("Content-Type") != "":
	case e.contentType != "":
		req.Header.Set("Content-Type", e.contentType)
	case e.base64:
		return errors.New("the REST API passes a body without its media type; add contentType, or the headers, to its request template")
	default: // a template without a media type has passed JSON
		req.Header.Set("Content-Type", "application/json")
	}
	return nil
}

// header returns the headers of the request.
func (e *event) header() (http.Header, error) {
	header := make(http.Header, 24)
	member, value := "headers", e.headers
	if e.multiHeaders != nil {
		member, value = "multiValueHeaders", e.multiHeaders
	}
	var invalid error
	err := e.pairs(member, value, func(name, value string) {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			invalid = fmt.Errorf("member %s has a header that HTTP does not allow", member)
			return
		}
		header.Add(name, value)
	})
	if err = errors.Join(err, invalid); err != nil || e.cookies == nil {
		return header, err
	}
	cookies, err := e.strings("cookies", e.cookies)
	if len(cookies) > 0 {
		header.Set("Cookie", strings.Join(cookies, "; "))
	}
	return header, err
}

// pairs calls add for each string in an object of strings, or of arrays of strings. Nulls do
// not count. member is the name of the object.
func (e *event) pairs(member string, object []byte, add func(name, value string)) error {
	if object == nil {
		return nil
	}
	e.decode(object)
	return e.object(func(name string) error {
		switch e.decoder.PeekKind() {
		case 'n':
			return e.decoder.SkipValue()
		case '[':
			return e.array(func() error {
				value, err := e.value(member)
				if err == nil {
					add(name, value)
				}
				return err
			})
		}
		value, err := e.value(member)
		if err == nil {
			add(name, value)
		}
		return err
	})
}

// value reads a value of the object or array member, which is a string.
func (e *event) value(member string) (string, error) {
	token, err := e.decoder.ReadToken()
	if err != nil || token.Kind() != '"' {
		return "", errors.Join(err, fmt.Errorf("member %s has values that are not strings", member))
	}
	return token.String(), nil
}

// strings returns the strings in an array.
func (e *event) strings(member string, array []byte) (all []string, err error) {
	e.decode(array)
	err = e.array(func() error {
		value, err := e.value(member)
		all = append(all, value)
		return err
	})
	return all, err
}

// queryString returns the query of the request as it stands in a URL.
func (e *event) queryString(f front) (string, error) {
	if f == httpAPI2 || f == functionURL {
		return e.rawQuery, nil
	}
	member, object := "queryStringParameters", e.query
	if e.multiQuery != nil {
		member, object = "multiValueQueryStringParameters", e.multiQuery
	}
	escape := url.QueryEscape
	if f == alb || f == albMulti {
		escape = func(s string) string { return s } // a load balancer decodes nothing
	}
	var query strings.Builder
	err := e.pairs(member, object, func(name, value string) {
		if query.Len() > 0 {
			query.WriteByte('&')
		}
		query.WriteString(escape(name) + "=" + escape(value))
	})
	return query.String(), err
}

// path returns the path of the request, without the stage, which an HTTP API and a template's
// $context.path begin with, and without the base path of a custom domain.
func (h *Handler) path(e *event, f front) string {
	path, stage := e.path, ""
	switch f {
	case httpAPI2:
		path, stage = e.rawPath, e.context.stage
	case httpAPI1:
		stage = e.context.stage
	case functionURL:
		path = e.rawPath
	case restTemplate, restOther:
		stage = e.stage
	}
	if stage != "" && stage != "$default" {
		path = within(path, "/"+stage)
	}
	return within(path, h.basePath)
}

// within returns the path below base, or the path itself if it is not below base. A path is
// never empty.
func within(path, base string) string {
	if rest, ok := strings.CutPrefix(path, base); ok && (rest == "" || rest[0] == '/') {
		path = rest
	}
	if path == "" {
		return "/"
	}
	return path
}

// location returns the URL of a path, which may be escaped, and a query.
func location(path, query string) *url.URL {
	u := &url.URL{Path: path, RawQuery: query}
	if unescaped, err := url.PathUnescape(path); err == nil {
		u.Path, u.RawPath = unescaped, path
	}
	return u
}
