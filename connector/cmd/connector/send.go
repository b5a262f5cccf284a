package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/format"
	formatjson "github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/plural"
	"github.com/aerosink/aerosink/connector/tlsfile"
	"github.com/aerosink/aerosink/connector/xdr"
)

// sendOptions are the flags of send.
type sendOptions struct {
	to          string
	timeout     time.Duration // to connect, and from a change to its reply
	output      string        // text or json
	metadataKey string

	secure  bool // TLS, which any of the next implies
	tls     tlsfile.Source
	tlsName string
}

func (o *sendOptions) flags(f *flag.FlagSet) {
	f.StringVar(&o.to, "to", "localhost:8901", "the `HOST:PORT` where a connector receives XDR")
	f.DurationVar(&o.timeout, "timeout", connector.Budget+time.Second, "how long `D` to wait for the connection, and for the reply to a change")
	f.StringVar(&o.output, "o", "text", "the output `FORM`: text, or json for an object on each line")
	f.StringVar(&o.metadataKey, "metadata-key", "metadata", "the member `NAME` that holds the metadata of flat JSON")
	f.BoolVar(&o.secure, "tls", false, "use TLS, with the authorities of the system unless -tls-ca is given")
	f.StringVar(&o.tls.CAFile, "tls-ca", "", "use TLS, and trust the authorities in `FILE`, in PEM")
	f.StringVar(&o.tls.CertFile, "tls-cert", "", "use TLS, and show the certificate in `FILE`, in PEM")
	f.StringVar(&o.tls.KeyFile, "tls-key", "", "the `FILE` with the key of -tls-cert, in PEM")
	f.StringVar(&o.tlsName, "tls-server-name", "", "use TLS, and expect this `NAME` in the connector's certificate instead of its host")
}

// send sends the changes in file to a connector, "" or "-" being stdin, and prints the reply
// to each. It returns an error unless all are done. Nothing is sent unless every change can be.
func (o *sendOptions) send(ctx context.Context, file string, stdin io.Reader, streams cli.Streams) error {
	printReply, err := o.printer(streams.Stdout)
	if err != nil {
		return err
	}
	dial, err := o.dialer()
	if err != nil {
		return err
	}
	if file == "" || file == "-" {
		file = "standard input"
	} else {
		opened, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("read changes: %w; name another file, or - for standard input", err)
		}
		defer func() { _ = opened.Close() }() // it was only read
		stdin = opened
	}
	requests, err := o.readRequests(file, stdin)
	if err != nil {
		return err
	}
	conn, err := dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // every reply was read, or will not be
	s := sender{conn: conn, timeout: o.timeout}
	counts := outcomes{}
	err = s.send(ctx, requests, func(r reply) error {
		counts[r.outcome()]++
		return printReply(r)
	})
	return errors.Join(err, counts.check())
}

// maxInput is how much is read of changes at most, in bytes.
const maxInput = 256 << 20

// readRequests reads changes from r, whose name is file, and encodes them.
func (o *sendOptions) readRequests(file string, r io.Reader) ([]request, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	if len(body) > maxInput {
		return nil, fmt.Errorf("%s has more than %d bytes; send it in parts", file, maxInput)
	}
	parsed, err := formatjson.Parse(body, format.Options{MetadataKey: o.metadataKey, Bins: true, Digest: xdr.Digest})
	if err != nil {
		return nil, inputError(file, body, err)
	}
	if len(parsed) == 0 {
		return nil, fmt.Errorf("%s has no change; write one as JSON, for example %s", file, sampleChange)
	}
	generations := map[recordID]uint32{}
	requests := make([]request, 0, len(parsed))
	for _, p := range parsed {
		if p.Err != nil {
			return nil, inputError(file, body, p.Err)
		}
		now := time.Now()
		c := p.Change
		complete(&c, now, generations)
		frame, err := xdr.AppendMessage(nil, &c, now)
		if err != nil {
			return nil, inputError(file, body, format.ErrorAt(p.Offset, "%w", err))
		}
		requests = append(requests, request{change: c, frame: frame})
	}
	return requests, nil
}

// recordID identifies a record. Records of two namespaces may have the same digest.
type recordID struct {
	namespace string
	digest    change.Digest
}

const sampleChange = `{"msg":"write","key":["shop","customers",null,"k1"],"bins":[{"name":"age","type":"int","value":27}]}`

// inputError adds to an error about body where it is, and what to do.
func inputError(file string, body []byte, err error) error {
	before := body[:min(format.OffsetOf(err), len(body))]
	line := 1 + strings.Count(string(before), "\n")
	return fmt.Errorf("%s: line %d: %w; correct it: nothing was sent", file, line, err)
}

// complete fills in what XDR always has and c lacks. It makes the change one of now that
// never expires, and counts the generations of a record from 1, as a server does. A write that
// deletes no bin is one of all bins.
func complete(c *change.Change, now time.Time, generations map[recordID]uint32) {
	c.LUT = cmp.Or(c.LUT, now.UnixMilli())
	id := recordID{c.Namespace, c.Digest}
	c.Generation = cmp.Or(c.Generation, generations[id]%math.MaxUint16+1)
	generations[id] = c.Generation
	if c.Op.IsDelete() {
		return
	}
	if c.Expiry == change.ExpiryUnknown {
		c.Expiry = 0
	}
	c.Mode = change.Replace
	if slices.ContainsFunc(c.Bins, func(b change.Bin) bool { return b.Value.Kind() == change.KindNil }) {
		c.Mode = change.Update
	}
}

// dialer returns a function that connects to the connector.
func (o *sendOptions) dialer() (func(context.Context) (net.Conn, error), error) {
	host, _, err := net.SplitHostPort(o.to)
	if err != nil || host == "" {
		return nil, cli.Usagef("-to %s: want HOST:PORT, for example localhost:8901", o.to)
	}
	if o.timeout <= 0 {
		return nil, cli.Usagef("-timeout %s: want more than 0, for example 10s", o.timeout)
	}
	plain := &net.Dialer{Timeout: o.timeout}
	dial := plain.DialContext
	if o.tlsName != "" {
		o.tls.PeerNames = []string{o.tlsName}
	}
	usesTLS := o.secure || o.tls.CAFile != "" || o.tls.CertFile != "" || o.tls.KeyFile != "" || o.tlsName != ""
	if usesTLS {
		files, err := tlsfile.Open(o.tls)
		if err != nil {
			return nil, fmt.Errorf("-tls-ca, -tls-cert, -tls-key: %w", err)
		}
		dial = (&tls.Dialer{NetDialer: plain, Config: files.Client([]string{host})}).DialContext
	}
	return func(ctx context.Context) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		conn, err := dial(ctx, "tcp", o.to)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w; %s", o.to, err, dialAdvice(err, usesTLS))
		}
		return conn, nil
	}, nil
}

// dialAdvice returns what to do about a connection that could not be made.
func dialAdvice(err error, usesTLS bool) string {
	if _, isNet := errors.AsType[*net.OpError](err); usesTLS && !isNet {
		return "check that it is a port for TLS, and the -tls flags"
	}
	return "check -to, and that a connector runs there"
}

// printer returns the function that prints a reply to w.
func (o *sendOptions) printer(w io.Writer) (func(reply) error, error) {
	switch o.output {
	case "text":
		return func(r reply) error {
			_, err := fmt.Fprintln(w, r.text())
			return err
		}, nil
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		return func(r reply) error { return encoder.Encode(r.object()) }, nil
	}
	return nil, cli.Usagef("-o %s: want text or json", o.output)
}

// outcomes counts replies by what a database does after them.
type outcomes map[outcome]int

// check returns an error unless every change is done.
func (o outcomes) check() error {
	total := o[done] + o[again] + o[abandoned] + o[noReply]
	if o[done] == total {
		return nil
	}
	var parts []string
	for _, p := range []struct {
		outcome outcome
		text    string
	}{{again, "to be shipped again"}, {abandoned, "abandoned"}, {noReply, "without a reply"}} {
		if n := o[p.outcome]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, p.text))
		}
	}
	return fmt.Errorf("%d of %s not done: %s; the connector's log says why", total-o[done], plural.Of(total, "change"), strings.Join(parts, ", "))
}
