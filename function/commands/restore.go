package commands

import (
	"net/url"
	"slices"
	"strings"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/replay"
	"github.com/aerosink/aerosink/function/sink"
)

// restoring returns how records are restored, if -to names an Aerospike sink with mode=records,
// else nil. It then sets the namespace of the filter, and completes the URL in -to.
//
// A sink of the variable SINKS never restores: without the versions in the target a restore
// would write over newer records, and nobody has asked for that.
func (o *replayOptions) restoring() (*replay.Restore, error) {
	urls := slices.Collect(sink.SplitURLs(o.to))
	i := slices.IndexFunc(urls, func(text string) bool {
		u, err := sink.ParseURL(text)
		return err == nil && u.Scheme == "aerospike" && u.Query().Get("mode") == "records"
	})
	switch {
	case i < 0:
		return nil, nil
	case len(urls) > 1:
		return nil, cli.Usagef("-to: records are restored into one sink; name only %s", urls[i])
	case len(o.filter.Namespaces) > 1:
		return nil, cli.Usagef("-namespace: records are restored from one namespace, since those of several may have the same digest")
	}
	u, err := sink.ParseURL(urls[0])
	if err != nil {
		return nil, err
	}
	q := u.Query()
	if err := o.setNamespace(u, q); err != nil {
		return nil, err
	}
	r := &replay.Restore{Mode: change.Replace, DeadLetters: q.Has("versions")}
	if q.Get("write") == "update" {
		r.Mode = change.Update
	}
	switch q.Get("ttl") {
	case "", "remaining":
	default:
		r.OwnTTL = true
	}
	if !q.Has("versions") {
		q.Set("versions", "none") // the newest versions are known
	}
	u.RawQuery = q.Encode()
	text, _, _ := strings.Cut(urls[0], "?") // as it is: a URL with several hosts is not a string of net/url
	o.to = text + "?" + u.RawQuery
	return r, nil
}

// setNamespace sets from= and -namespace to the namespace that is restored: the one that is
// set, or else that of the target.
func (o *replayOptions) setNamespace(u *url.URL, q url.Values) error {
	target, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	from := q.Get("from")
	switch {
	case len(o.filter.Namespaces) == 0 && from == "":
		from = target
	case from == "":
		from = o.filter.Namespaces[0]
	case len(o.filter.Namespaces) > 0 && o.filter.Namespaces[0] != from:
		return cli.Usagef("-namespace %s differs from from=%s in the URL; leave one out", o.filter.Namespaces[0], from)
	}
	q.Set("from", from)
	o.filter.Namespaces = []string{from}
	return nil
}
