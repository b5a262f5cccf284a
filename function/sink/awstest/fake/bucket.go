package fake

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of S3 (its user guide, "Object metadata" and "Naming Amazon S3 objects").
const (
	maxKeyBytes      = 1024
	maxMetadataBytes = 2048 // names without their prefix, and values
	maxListedKeys    = 1000
)

// bucket is a bucket of S3. Its S3 guards it.
type bucket struct {
	name     string
	objects  map[string]*S3Object
	arriving map[string]int // puts that have not been answered, by key
}

// contents returns the objects in the bucket, sorted by key.
func (b *bucket) contents() []S3Object {
	objects := make([]S3Object, 0, len(b.objects))
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		objects = append(objects, *b.objects[key])
	}
	return objects
}

const (
	metadataPrefix = "X-Amz-Meta-"
	encryption     = "X-Amz-Server-Side-Encryption"
	encryptionKey  = encryption + "-Aws-Kms-Key-Id"
	bucketKey      = encryption + "-Bucket-Key-Enabled"
)

// putHeaders are the headers of a put that the fake understands, apart from metadata and
// checksums.
var putHeaders = []string{
	"Accept-Encoding", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "Authorization", "Content-Encoding", "Content-Length", "Content-Md5", "Content-Type", "Expect", "If-None-Match",
	"User-Agent", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Decoded-Content-Length", "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Security-Token", "X-Amz-Trailer",
	"X-Amz-User-Agent", "X-Amzn-Trace-Id", encryption, encryptionKey, bucketKey,
}

// put handles PutObject.
func (b *bucket) put(key string, r *http.Request, content []byte, now time.Time) (answer, *s3Error) {
	if len(key) > maxKeyBytes {
		return answer{}, &s3Error{"KeyTooLongError", "Your key is too long"}
	}
	o := &S3Object{Key: key, Content: content, ContentType: r.Header.Get("Content-Type"), Metadata: map[string]string{}, Modified: now.UTC().Truncate(time.Second)}
	if o.ContentType == "" {
		o.ContentType = "binary/octet-stream"
	}
	o.ContentEncoding = withoutChunked(r.Header.Values("Content-Encoding"))
	size := 0
	for name, values := range r.Header {
		if m, ok := strings.CutPrefix(name, metadataPrefix); ok {
			o.Metadata[strings.ToLower(m)] = strings.Join(values, ",")
			size += len(m) + len(strings.Join(values, ","))
		} else if !slices.Contains(putHeaders, name) && !strings.HasPrefix(name, checksumPrefix) {
			return answer{}, &s3Error{"NotImplemented", "The fake does not know the header " + name + "."}
		}
	}
	if size > maxMetadataBytes {
		return answer{}, &s3Error{"MetadataTooLarge", fmt.Sprintf("Your metadata headers exceed the maximum allowed metadata size of %d", maxMetadataBytes)}
	}
	err := encrypt(o, r)
	if err == nil {
		o.Checksums, err = checksums(r, content)
	}
	if err != nil {
		return answer{}, err
	}
	switch condition := r.Header.Get("If-None-Match"); {
	case condition != "" && condition != "*":
		return answer{}, &s3Error{"NotImplemented", "A header you provided implies functionality that is not implemented"}
	case condition == "*" && b.objects[key] != nil:
		return answer{}, &s3Error{"PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}
	}
	b.objects[key] = o
	return answer{http.StatusOK, o.headers(r, true), nil}, nil
}

// encrypt sets how the object is encrypted and its ETag, which is the MD5 of the content only
// if it is encrypted with AES256.
func encrypt(o *S3Object, r *http.Request) *s3Error {
	o.ServerSideEncryption, o.KMSKeyID = r.Header.Get(encryption), r.Header.Get(encryptionKey)
	o.ETag = strconv.Quote(md5Hex(o.Content))
	switch o.ServerSideEncryption {
	case "", "AES256":
		if o.KMSKeyID != "" {
			return &s3Error{"InvalidArgument", "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"}
		}
		o.ServerSideEncryption = "AES256"
	case "aws:kms", "aws:kms:dsse":
		o.ETag = strconv.Quote(md5Hex(fmt.Appendf(nil, "%s %d", o.ETag, o.Modified.UnixNano())))
	default:
		return &s3Error{"InvalidArgument", "The encryption method specified is not supported"}
	}
	return nil
}

// headers returns the headers of the object. Those of a put say only how it is stored.
func (o *S3Object) headers(r *http.Request, put bool) http.Header {
	h := http.Header{"Etag": {o.ETag}}
	h.Set(encryption, o.ServerSideEncryption)
	if o.KMSKeyID != "" {
		h.Set(encryptionKey, o.KMSKeyID)
	}
	if put || r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" && r.Header.Get("Range") == "" {
		for name, sum := range o.Checksums {
			h.Set(checksumPrefix+name, sum)
		}
		h.Set(checksumPrefix+"Type", "FULL_OBJECT")
	}
	if put {
		return h
	}
	h.Set("Content-Type", o.ContentType)
	h.Set("Last-Modified", o.Modified.Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	if o.ContentEncoding != "" {
		h.Set("Content-Encoding", o.ContentEncoding)
	}
	for name, v := range o.Metadata {
		h.Set(metadataPrefix+name, v)
	}
	return h
}

// get handles GetObject and HeadObject.
func (b *bucket) get(key string, r *http.Request) (answer, *s3Error) {
	if version := r.URL.Query().Get("versionId"); version != "" && version != "null" {
		return answer{}, &s3Error{"NoSuchVersion", "The specified version does not exist."}
	}
	o := b.objects[key]
	if o == nil {
		return answer{}, &s3Error{"NoSuchKey", "The specified key does not exist."}
	}
	matches := func(header string) bool {
		v := r.Header.Get(header)
		return v == "*" || strings.Trim(v, `"`) == strings.Trim(o.ETag, `"`)
	}
	switch {
	case r.Header.Get("If-Match") != "" && !matches("If-Match"):
		return answer{}, &s3Error{"PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}
	case r.Header.Get("If-None-Match") != "" && matches("If-None-Match"):
		return answer{}, &s3Error{"NotModified", "Not Modified"}
	}
	h := o.headers(r, false)
	from, to, partial := byteRange(r.Header.Get("Range"), len(o.Content))
	if from > to {
		return answer{}, &s3Error{"InvalidRange", "The requested range is not satisfiable"}
	}
	status := http.StatusOK
	if partial {
		status = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(o.Content)))
	}
	h.Set("Content-Length", strconv.Itoa(to-from))
	return answer{status, h, o.Content[from:to]}, nil
}

// byteRange returns the part of n bytes that a Range header asks for, from after to if there
// is none. A header that is not a single range of bytes is ignored, as RFC 9110 has it.
func byteRange(header string, n int) (from, to int, partial bool) {
	first, last, ok := strings.Cut(strings.TrimPrefix(header, "bytes="), "-")
	f, errFirst := strconv.Atoi(first)
	l, errLast := strconv.Atoi(last)
	switch {
	case !strings.HasPrefix(header, "bytes=") || !ok || errFirst != nil && first != "" || errLast != nil && last != "" || first == "" && last == "":
		return 0, n, false
	case first == "" && (l == 0 || n == 0), first != "" && f >= n:
		return 1, 0, true
	case first == "":
		return max(0, n-l), n, true
	case last == "":
		return f, n, true
	case l < f:
		return 0, n, false
	}
	return f, min(l+1, n), true
}

// listParameters are the parameters of ListObjectsV2 that the fake understands.
var listParameters = []string{"list-type", "x-id", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type", "fetch-owner"}

type listedObject struct {
	Key          string
	LastModified string
	ETag         string
	Size         int
	StorageClass string
}

type listedPrefix struct {
	Prefix string
}

type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name                  string
	Prefix                string
	Delimiter             string `xml:",omitempty"`
	MaxKeys               int
	EncodingType          string `xml:",omitempty"`
	KeyCount              int
	IsTruncated           bool
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	StartAfter            string `xml:",omitempty"`
	Contents              []listedObject
	CommonPrefixes        []listedPrefix
}

// list handles ListObjectsV2.
func (b *bucket) list(query url.Values) (answer, *s3Error) {
	most := maxListedKeys
	if text := query.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return answer{}, &s3Error{"InvalidArgument", "Provided max-keys not an integer or within integer range"}
		}
		most = min(n, most)
	}
	after, err := base64.URLEncoding.DecodeString(query.Get("continuation-token"))
	if err != nil {
		return answer{}, &s3Error{"InvalidArgument", "The continuation token provided is incorrect"}
	}
	encode := func(s string) string { return s }
	if query.Get("encoding-type") == "url" {
		encode = func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "%2F", "/") }
	}
	prefix, delimiter := query.Get("prefix"), query.Get("delimiter")
	out := listing{
		Name: b.name, Prefix: encode(prefix), Delimiter: encode(delimiter), MaxKeys: most, EncodingType: query.Get("encoding-type"),
		ContinuationToken: query.Get("continuation-token"), StartAfter: encode(query.Get("start-after")),
	}
	start := max(string(after), query.Get("start-after"))
	folder, last := "", ""
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok || key <= start || folder != "" && strings.HasPrefix(key, folder) || delimiter != "" && isFolder(start, delimiter) && strings.HasPrefix(key, start) {
			continue
		}
		if out.KeyCount == most {
			out.IsTruncated = most > 0
			if out.IsTruncated {
				out.NextContinuationToken = base64.URLEncoding.EncodeToString([]byte(last))
			}
			break
		}
		out.KeyCount++
		if before, _, ok := strings.Cut(rest, delimiter); ok && delimiter != "" {
			folder = prefix + before + delimiter
			last = folder
			out.CommonPrefixes = append(out.CommonPrefixes, listedPrefix{encode(folder)})
			continue
		}
		o := b.objects[key]
		last = key
		out.Contents = append(out.Contents, listedObject{encode(key), o.Modified.Format("2006-01-02T15:04:05.000Z"), o.ETag, len(o.Content), "STANDARD"})
	}
	return respondXML(http.StatusOK, out), nil
}

// isFolder reports whether a key after which a list starts is one of its common prefixes.
func isFolder(start, delimiter string) bool { return strings.HasSuffix(start, delimiter) }
