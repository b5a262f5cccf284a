package fake

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // one of S3's checksums
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

const checksumPrefix = "X-Amz-Checksum-"

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(0x9a6c9329ac4bc9b5) // CRC-64/NVME, reversed
)

// algorithms are the checksums that the fake computes, by what follows checksumPrefix.
var algorithms = map[string]func([]byte) []byte{
	"Crc32":     func(b []byte) []byte { return bigEndian(uint64(crc32.ChecksumIEEE(b)), 4) },
	"Crc32c":    func(b []byte) []byte { return bigEndian(uint64(crc32.Checksum(b, castagnoli)), 4) },
	"Crc64nvme": func(b []byte) []byte { return bigEndian(crc64.Checksum(b, nvme), 8) },
	"Sha1":      func(b []byte) []byte { sum := sha1.Sum(b); return sum[:] }, //nolint:gosec // one of S3's checksums
	"Sha256":    func(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] },
}

// bigEndian returns the n low bytes of v.
func bigEndian(v uint64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[n-1-i] = byte(v >> (8 * i))
	}
	return b
}

// payload returns the content that a put sends. It checks the content's hash, and takes
// content in chunks apart (the S3 API reference, "Signature Calculations for the
// Authorization Header": STREAMING-…). It adds the trailers to the request's headers.
func payload(r *http.Request, body []byte) ([]byte, *s3Error) {
	if r.ContentLength < 0 {
		return nil, &s3Error{"MissingContentLength", "You must provide the Content-Length HTTP header."}
	}
	switch hash := r.Header.Get("X-Amz-Content-Sha256"); {
	case hash == "UNSIGNED-PAYLOAD":
		return body, nil
	case strings.HasPrefix(hash, "STREAMING-"):
		content, err := unchunk(r, body)
		if err != nil {
			return nil, &s3Error{"IncompleteBody", "The request body is not in chunks: " + err.Error()}
		}
		return content, nil
	default:
		if sum := sha256.Sum256(body); hash != hex.EncodeToString(sum[:]) {
			return nil, &s3Error{"XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."}
		}
		return body, nil
	}
}

// unchunk returns the content of chunks: each has its size in hexadecimal, perhaps a
// signature, and a line break before and after its bytes. The last is empty, and trailers
// may follow.
func unchunk(r *http.Request, body []byte) ([]byte, error) {
	var content []byte
	for {
		line, rest, ok := bytes.Cut(body, []byte("\r\n"))
		text, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseUint(text, 16, 31)
		if !ok || err != nil {
			return nil, fmt.Errorf("chunk size %q", text)
		}
		if n == 0 {
			body = rest
			break
		}
		if uint64(len(rest)) < n+2 || string(rest[n:n+2]) != "\r\n" {
			return nil, fmt.Errorf("chunk of %d bytes", n)
		}
		content, body = append(content, rest[:n]...), rest[n+2:]
	}
	if want := r.Header.Get("X-Amz-Decoded-Content-Length"); want != strconv.Itoa(len(content)) {
		return nil, fmt.Errorf("%d bytes, want %q", len(content), want)
	}
	announced := r.Header.Get("X-Amz-Trailer")
	for line := range strings.Lines(string(body)) {
		name, v, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue // the empty line at the end
		}
		if !strings.EqualFold(name, announced) && !strings.EqualFold(name, "x-amz-trailer-signature") {
			return nil, fmt.Errorf("trailer %q, announced was %q", name, announced)
		}
		if strings.EqualFold(name, announced) {
			r.Header.Set(textproto.CanonicalMIMEHeaderKey(name), v)
		}
	}
	if announced != "" && r.Header.Get(announced) == "" {
		return nil, fmt.Errorf("no trailer %q", announced)
	}
	return content, nil
}

// withoutChunked returns the values of Content-Encoding without aws-chunked, which is not
// stored.
func withoutChunked(encodings []string) string {
	var kept []string
	for e := range strings.SplitSeq(strings.Join(encodings, ","), ",") {
		if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
			kept = append(kept, e)
		}
	}
	return strings.Join(kept, ",")
}

// checksums verifies the checksums in the headers of a put and returns them. If there are
// none, it computes crc64nvme, as S3 does.
func checksums(r *http.Request, content []byte) (map[string]string, *s3Error) {
	if text := r.Header.Get("Content-Md5"); text != "" {
		sum, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(sum) != 16 {
			return nil, &s3Error{"InvalidDigest", "The Content-MD5 you specified was invalid."}
		}
		if hex.EncodeToString(sum) != md5Hex(content) {
			return nil, &s3Error{"BadDigest", "The Content-MD5 you specified did not match what we received."}
		}
	}
	sums := map[string]string{}
	for name, values := range r.Header {
		algorithm, ok := strings.CutPrefix(name, checksumPrefix)
		if !ok || algorithm == "Algorithm" || algorithm == "Type" {
			continue
		}
		compute := algorithms[algorithm]
		if compute == nil {
			return nil, &s3Error{"NotImplemented", "The fake cannot compute the checksum " + algorithm + "."}
		}
		if values[0] != base64.StdEncoding.EncodeToString(compute(content)) {
			return nil, &s3Error{"BadDigest", "The " + strings.ToUpper(algorithm) + " you specified did not match the calculated checksum."}
		}
		sums[strings.ToLower(algorithm)] = values[0]
	}
	switch len(sums) {
	case 0:
		sums["crc64nvme"] = base64.StdEncoding.EncodeToString(algorithms["Crc64nvme"](content))
	case 1:
	default:
		return nil, &s3Error{"InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."}
	}
	return sums, nil
}
