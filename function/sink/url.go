package sink

import (
	"iter"
	"net/url"
	"regexp"
	"strings"
)

// ParseURL is url.Parse for the URL of a sink, which may name several hosts:
// aerospike://a:3000,[::1]:3000/NAMESPACE. The Host of the result then has all of them.
func ParseURL(text string) (*url.URL, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	first, others, several := strings.Cut(rest[:end], ",")
	if !ok || !several || strings.Contains(others, "@") {
		return url.Parse(text)
	}
	u, err := url.Parse(scheme + "://" + first + rest[end:])
	if err != nil {
		return nil, err
	}
	u.Host += "," + others
	return u, nil
}

// nextHost matches what follows a comma if it is a host, and not the URL of a sink. The
// scheme of a URL looks like a host, but no port follows its colon.
var nextHost = regexp.MustCompile(`^\s*(\[[^]]*\]|[^/?#,:\[\]]+)(:[0-9]+)?\s*([/?#,]|$)`)

// SplitURLs yields the URLs of a list with commas in between, without space around them. A
// comma between the hosts of a URL separates nothing.
func SplitURLs(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		begin := 0
		for i := 0; i <= len(list); i++ {
			if i < len(list) && (list[i] != ',' || isHostsComma(list[begin:i], list[i+1:])) {
				continue
			}
			if text := strings.TrimSpace(list[begin:i]); text != "" && !yield(text) {
				return
			}
			begin = i + 1
		}
	}
}

// isHostsComma reports whether a comma is between two hosts of a URL.
func isHostsComma(before, after string) bool {
	_, authority, ok := strings.Cut(before, "://")
	return ok && !strings.ContainsAny(authority, "/?#") && nextHost.MatchString(after)
}
