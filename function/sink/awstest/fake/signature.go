package fake

import (
	"net/http"
	"strings"
)

// Faults of a request's signature, by the codes that all services have for them.
const (
	missingToken     = "MissingAuthenticationToken"
	signatureInvalid = "SignatureDoesNotMatch"
)

// checkSignature returns the code of the error with which a request is refused that is not
// signed for the service in the region, "" if it is. It does not verify the signature.
func checkSignature(r *http.Request, service string) string {
	parameters, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok || r.Header.Get("X-Amz-Date") == "" {
		return missingToken
	}
	var scope, signed, signature string
	for p := range strings.SplitSeq(parameters, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch name {
		case "Credential":
			scope = value
		case "SignedHeaders":
			signed = value
		case "Signature":
			signature = value
		}
	}
	// The scope is KEY/DATE/REGION/SERVICE/aws4_request.
	part := strings.Split(scope, "/")
	if len(part) != 5 || part[0] == "" || part[2] != Region || part[3] != service || part[4] != "aws4_request" {
		return signatureInvalid
	}
	if !strings.Contains(";"+signed+";", ";host;") || len(signature) != 64 {
		return signatureInvalid
	}
	return ""
}
