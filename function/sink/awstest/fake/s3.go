package fake

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// S3 is a fake of S3: an http.Handler with the operations PutObject, GetObject, HeadObject,
// HeadBucket and ListObjectsV2, by paths, http://HOST/BUCKET/KEY, and by hosts,
// http://BUCKET.HOST/KEY, where HOST is a name, not an address. Its methods may be called by
// several goroutines at once.
//
// Buckets have no versions and no policies, and encrypt with AES256 by default.
type S3 struct {
	faults faults[S3Call]

	mu      sync.Mutex
	now     func() time.Time
	buckets map[string]*bucket
}

// S3Call is a call of S3.
type S3Call struct {
	Call

	Bucket  string
	Key     string // of the object; empty if the call is about the bucket
	Content []byte // that a PutObject stores; nil if the request is not well-formed
}

// S3Object is an object in a bucket.
type S3Object struct {
	Key                  string
	Content              []byte
	ContentType          string
	ContentEncoding      string
	Metadata             map[string]string // by names in lower case, without x-amz-meta-
	ETag                 string            // with its quotation marks
	ServerSideEncryption string            // AES256, aws:kms or aws:kms:dsse
	KMSKeyID             string            // as it was sent; empty is the bucket's
	Modified             time.Time

	// Checksums holds the checksums that came with the object, in Base64, by the names of the
	// algorithms, such as crc32c. If none came, S3 computes crc64nvme.
	Checksums map[string]string
}

// NewS3 returns an S3 without buckets.
func NewS3() *S3 {
	return &S3{now: time.Now, buckets: map[string]*bucket{}}
}

// CreateBucket creates a bucket, or empties it.
func (s *S3) CreateBucket(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buckets[name] = &bucket{name: name, objects: map[string]*S3Object{}, arriving: map[string]int{}}
}

// Objects returns the objects in a bucket, sorted by key, nil if there is no such bucket.
func (s *S3) Objects(bucket string) []S3Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	if b == nil {
		return nil
	}
	return b.contents()
}

// Empty is like Objects, and deletes them.
func (s *S3) Empty(bucket string) []S3Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	if b == nil {
		return nil
	}
	objects := b.contents()
	clear(b.objects)
	return objects
}

// Fail makes fault see each call before it is handled, one at a time. A nil fault ends this.
func (s *S3) Fail(fault func(*S3Call)) { s.faults.set(fault) }

// SetClock replaces the clock that dates objects.
func (s *S3) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// s3Error is an error response.
type s3Error struct {
	code, message string
}

// ServeHTTP implements [http.Handler].
func (s *S3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := &S3Call{}
	call.Bucket, call.Key = s.target(r)
	call.Operation = s3Operation(r, call.Key)
	body := readBody(r)
	var malformed *s3Error
	if call.Operation == "PutObject" {
		call.Content, malformed = payload(r, body)
	}
	conflict, done := s.arrive(call, r)
	defer done()
	s.faults.apply(call)
	call.serve(w, r, func(code, message string, status int) answer { return refuseS3(r, code, message, status) }, func() answer {
		a, err := answer{}, malformed
		if err == nil {
			a, err = s.handle(call, r, conflict)
		}
		if err != nil {
			return refuseS3(r, err.code, err.message, 0)
		}
		a.header.Set("X-Amz-Request-Id", "0000000000000000")
		return a
	})
}

// target returns the bucket and the key of a request.
func (s *S3) target(r *http.Request) (bucket, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	host, _, _ := strings.Cut(r.Host, ":")
	if first, _, ok := strings.Cut(host, "."); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.buckets[first] != nil {
			return first, path
		}
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// s3Operation returns the operation of a request, "" if it is not one of the fake's.
func s3Operation(r *http.Request, key string) string {
	query := r.URL.Query()
	switch {
	case r.Method == http.MethodPut && key != "" && onlyHas(query, "x-id"):
		return "PutObject"
	case r.Method == http.MethodGet && key != "" && onlyHas(query, "x-id", "versionId"):
		return "GetObject"
	case r.Method == http.MethodHead && key != "" && onlyHas(query, "versionId"):
		return "HeadObject"
	case r.Method == http.MethodHead && key == "" && onlyHas(query):
		return "HeadBucket"
	case r.Method == http.MethodGet && key == "" && query.Get("list-type") == "2" && onlyHas(query, listParameters...):
		return "ListObjectsV2"
	}
	return ""
}

// onlyHas reports whether all keys of m are among some.
func onlyHas[V any](m map[string]V, keys ...string) bool {
	for k := range m {
		if !slices.Contains(keys, k) {
			return false
		}
	}
	return true
}

// arrive counts a put while it is there. It reports whether a conditional put meets another
// put of the same key. The caller calls done after the call.
func (s *S3) arrive(call *S3Call, r *http.Request) (conflict bool, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[call.Bucket]
	if b == nil || call.Operation != "PutObject" {
		return false, func() {}
	}
	conflict = b.arriving[call.Key] > 0 && r.Header.Get("If-None-Match") != ""
	b.arriving[call.Key]++
	return conflict, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if b.arriving[call.Key]--; b.arriving[call.Key] == 0 {
			delete(b.arriving, call.Key)
		}
	}
}

// handle handles a call that no fault refuses.
func (s *S3) handle(call *S3Call, r *http.Request, conflict bool) (answer, *s3Error) {
	if code := checkSignature(r, "s3"); code == missingToken {
		return answer{}, &s3Error{"AccessDenied", "Access Denied"}
	} else if code != "" {
		return answer{}, &s3Error{code, "The request is not signed for s3 in " + Region + "."}
	}
	if call.Operation == "" {
		return answer{}, &s3Error{"NotImplemented", "The fake has no such operation."}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[call.Bucket]
	if b == nil {
		return answer{}, &s3Error{"NoSuchBucket", "The specified bucket does not exist"}
	}
	if conflict {
		return answer{}, &s3Error{"ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource."}
	}
	switch call.Operation {
	case "PutObject":
		return b.put(call.Key, r, call.Content, s.now())
	case "GetObject", "HeadObject":
		return b.get(call.Key, r)
	case "HeadBucket":
		return answer{http.StatusOK, http.Header{"X-Amz-Bucket-Region": {Region}}, nil}, nil
	default:
		return b.list(r.URL.Query())
	}
}

// s3Status holds the statuses of errors that are not answered with 400.
var s3Status = map[string]int{
	"AccessDenied": http.StatusForbidden, signatureInvalid: http.StatusForbidden, "NoSuchBucket": http.StatusNotFound, "NoSuchKey": http.StatusNotFound,
	"NoSuchVersion": http.StatusNotFound, "ConditionalRequestConflict": http.StatusConflict, "PreconditionFailed": http.StatusPreconditionFailed,
	"InvalidRange": http.StatusRequestedRangeNotSatisfiable, "NotModified": http.StatusNotModified, "NotImplemented": http.StatusNotImplemented,
	"MissingContentLength": http.StatusLengthRequired, "SlowDown": http.StatusServiceUnavailable, "ServiceUnavailable": http.StatusServiceUnavailable,
	"InternalError": http.StatusInternalServerError,
}

func refuseS3(r *http.Request, code, message string, status int) answer {
	if status == 0 {
		status = s3Status[code]
	}
	if status == 0 {
		status = http.StatusBadRequest
	}
	a := respondXML(status, struct {
		XMLName   xml.Name `xml:"Error"`
		Code      string
		Message   string
		Resource  string
		RequestID string `xml:"RequestId"`
	}{Code: code, Message: message, Resource: r.URL.Path, RequestID: "0000000000000000"})
	a.header.Set("X-Amz-Request-Id", "0000000000000000")
	if status == http.StatusNotModified {
		a.body = nil
	}
	return a
}

func respondXML(status int, v any) answer {
	body, err := xml.Marshal(v)
	if err != nil {
		panic(err) // all responses are structs of text and numbers
	}
	return answer{status, http.Header{"Content-Type": {"application/xml"}}, append([]byte(xml.Header), body...)}
}
