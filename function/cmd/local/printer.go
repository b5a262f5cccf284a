package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
)

// printer prints what happens in the pipeline. After an error of its writer it prints
// nothing more.
type printer struct {
	w     io.Writer
	err   error
	count int // messages printed
}

// printf prints a line.
func (p *printer) printf(line string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, line+"\n", args...)
	}
}

// overview prints what is running, and explains the terms in the output.
func (p *printer) overview(c *cloud, pl *pipeline) {
	p.printf("Aerosink runs in this process, from Aerospike's replication to Google Cloud:")
	p.printf("")
	p.printf("  connector      %-24s receives changes over XDR, Aerospike's replication protocol;", pl.xdr.Addr())
	p.printf("                 %-24s metrics at http://%s/metrics", "", pl.manage.Addr())
	p.printf("  function       %-24s receives the connector's POSTs, and stores each change in both of:", "http://"+pl.function.Addr().String())
	p.printf("  Pub/Sub        %-24s an emulator, with %s", c.pubsub.Addr, topicName)
	p.printf("  Cloud Storage  %-24s an emulator, with gs://%s in %s", c.storage.URL(), bucketName, c.folder)
	p.printf("")
	p.printf("Each change below is a message in Pub/Sub. Its attributes and its ordering key:")
	p.printf("")
	p.printf("  digest         identifies the record: a hash of its set and key")
	p.printf("  partition      the record's Aerospike partition, one of 4096 in a namespace, chosen by the digest")
	p.printf("  lut            the record's last update time (LUT), in Unix milliseconds")
	p.printf("  ordering key   the shard: the partition modulo %d; Pub/Sub keeps changes with the same key in order", shards)
	p.printf("")
}

// message prints a change as it came out of Pub/Sub.
func (p *printer) message(m *pubsubpb.PubsubMessage) {
	p.count++
	a := m.Attributes
	p.printf("%4d  %-14s  %s  %s", p.count, a["op"], strings.TrimSuffix(a["namespace"]+"."+a["set"], "."), updateTime(m.Data))
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(a)) {
		pairs = append(pairs, name+"="+a[name])
	}
	p.printf("      attributes      %s", strings.Join(pairs, " "))
	p.printf("      ordering key    %s", m.OrderingKey)
	p.printf("      data            %s", m.Data)
	p.printf("")
}

// updateTime returns the last update time of the record in data.
func updateTime(data []byte) string {
	parsed, err := formats.Parser{MetadataKey: metadataKey}.Parse(format.MediaJSON, data)
	if err != nil || len(parsed) != 1 || parsed[0].Change.LUT == 0 {
		return ""
	}
	return time.UnixMilli(parsed[0].Change.LUT).UTC().Format("2006-01-02 15:04:05.000 UTC")
}

// objects prints the objects in the bucket.
func (p *printer) objects(objects []object) {
	p.printf("The same changes in Cloud Storage:")
	p.printf("")
	for _, o := range objects {
		p.printf("  gs://%s/%s", bucketName, o.name)
		p.printf("      %s, %s", cli.Count(strings.Count(o.text, "\n"), "change"), cli.Count(len(o.text), "byte"))
	}
	p.printf("")
}

// summary prints the counts of a successful run. It returns the first error of any print.
func (p *printer) summary(k *checker, objects []object) error {
	dropped := ""
	if k.dropped > 0 {
		dropped = ", and " + cli.Count(k.dropped, "monitor record") + " of transactions, which the connector drops"
	}
	p.printf("%s went in%s. All came out of Pub/Sub, in %s, and of Cloud Storage, in %s.",
		cli.Count(len(k.entries), "change"), dropped, cli.Count(p.count, "message"), cli.Count(len(objects), "object"))
	return p.err
}

// instructions prints how to use what is running.
func (p *printer) instructions(c *cloud, pl *pipeline) {
	address, hint := nodeAddress(pl.xdr.Addr().String())
	p.printf("To ship the changes of a real database, run these on each node of an Aerospike Enterprise cluster that can")
	p.printf("connect to %s (%s):", address, hint)
	p.printf("")
	for _, command := range []string{
		"dc=aerosink;action=create", "dc=aerosink;connector=true",
		"dc=aerosink;node-address-port=" + address + ";action=add", "dc=aerosink;namespace=NAMESPACE;action=add",
	} {
		p.printf(`  asinfo -v "set-config:context=xdr;%s"`, command)
	}
	p.printf("")
	p.printf("To read the messages with your own client, subscribe to %s with", topicName)
	p.printf("")
	p.printf("  export PUBSUB_EMULATOR_HOST=%s", c.pubsub.Addr)
	p.printf("")
	p.printf("To see the objects:")
	p.printf("")
	p.printf("  CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE=%s/ gcloud storage ls --recursive gs://%s", c.storage.URL(), bucketName)
	p.printf("  curl %s/storage/v1/b/%s/o", c.storage.URL(), bucketName)
	p.printf("")
	p.printf("Press Ctrl-C to stop. Changes, as they come out of Pub/Sub:")
	p.printf("")
}

// nodeAddress returns where nodes of a database find a listener with this address, and what
// else there is to know. Instead of all addresses it has the name of this machine.
func nodeAddress(listener string) (address, hint string) {
	host, port, _ := net.SplitHostPort(listener) // the address of a listener is valid
	ip := net.ParseIP(host)
	if ip.IsLoopback() {
		return listener, "for other machines, start with -listen 0.0.0.0:8901"
	}
	if !ip.IsUnspecified() {
		return listener, "the address of -listen"
	}
	name, err := os.Hostname()
	if err != nil {
		name = "THIS-MACHINE"
	}
	return net.JoinHostPort(name, port), "or to another name or address of this machine"
}
