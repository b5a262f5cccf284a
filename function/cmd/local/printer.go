package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/format"
)

// printer shows the pipeline to a person. It keeps the first error of its writer.
type printer struct {
	w     io.Writer
	err   error
	count int // of messages
}

func (p *printer) say(line string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, line+"\n", args...)
	}
}

func (p *printer) places(c *cloud, pl *pipeline) {
	p.say("Aerosink, all of it in this process:")
	p.say("")
	p.say("  connector      %-28s takes XDR; metrics at http://%s/metrics", pl.xdr.Addr(), pl.manage.Addr())
	p.say("  function       %-28s takes what the connector POSTs", "http://"+pl.function.Addr().String())
	p.say("  Pub/Sub        %-28s %s", c.pubsub.Addr, topicName)
	p.say("  Cloud Storage  %-28s gs://%s, in %s", c.storage.URL(), bucketName, c.folder)
	p.say("")
}

// message shows a change as it came out of Pub/Sub.
func (p *printer) message(m *pubsubpb.PubsubMessage) {
	p.count++
	a := m.Attributes
	p.say("%4d  %-14s  %s  %s", p.count, a["op"], strings.TrimSuffix(a["namespace"]+"."+a["set"], "."), updated(m.Data))
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		pairs = append(pairs, name+"="+a[name])
	}
	p.say("      attributes      %s", strings.Join(pairs, " "))
	p.say("      ordering key    %s", m.OrderingKey)
	p.say("      data            %s", m.Data)
	p.say("")
}

// updated says when the record was last updated.
func updated(data []byte) string {
	parsed, err := format.Parser{MetadataKey: metadataKey}.Parse(format.MediaJSON, data)
	if err != nil || len(parsed) != 1 || parsed[0].Change.LUT == 0 {
		return ""
	}
	return time.UnixMilli(parsed[0].Change.LUT).UTC().Format("2006-01-02 15:04:05.000 UTC")
}

func (p *printer) objects(objects []object) {
	p.say("Objects:")
	p.say("")
	for _, o := range objects {
		p.say("  gs://%s/%s", bucketName, o.name)
		p.say("      %d changes, %d bytes", strings.Count(o.text, "\n"), len(o.text))
	}
	p.say("")
}

// summary says that all is well, and returns what went wrong with saying things.
func (p *printer) summary(l *ledger, objects []object) error {
	dropped := ""
	if l.dropped > 0 {
		dropped = fmt.Sprintf(" (and %d monitor records of transactions, which go nowhere)", l.dropped)
	}
	p.say("%d changes went in%s. The same came out of Pub/Sub, in %d messages, and of Cloud Storage, in %d objects.",
		len(l.entries), dropped, p.count, len(objects))
	return p.err
}

// instructions tell how to use what is running.
func (p *printer) instructions(c *cloud, pl *pipeline) {
	host, port, _ := net.SplitHostPort(pl.xdr.Addr().String()) // an address that is listened on
	p.say("To ship a real data centre here, run on each node of an Aerospike Enterprise cluster that reaches %s", net.JoinHostPort(host, port))
	p.say("(start with -listen 0.0.0.0:8901 for other machines than this):")
	p.say("")
	for _, command := range []string{
		"dc=aerosink;action=create", "dc=aerosink;connector=true",
		"dc=aerosink;node-address-port=" + host + ":" + port + ";action=add", "dc=aerosink;namespace=NAMESPACE;action=add",
	} {
		p.say(`  asinfo -v "set-config:context=xdr;%s"`, command)
	}
	p.say("")
	p.say("To read the messages with a client of your own, subscribe to %s with", topicName)
	p.say("")
	p.say("  export PUBSUB_EMULATOR_HOST=%s", c.pubsub.Addr)
	p.say("")
	p.say("To look at the objects:")
	p.say("")
	p.say("  CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE=%s/ gcloud storage ls --recursive gs://%s", c.storage.URL(), bucketName)
	p.say("  curl %s/storage/v1/b/%s/o", c.storage.URL(), bucketName)
	p.say("")
	p.say("Ctrl-C ends it. Changes, as they pass:")
	p.say("")
}
