package main

import (
	stdjson "encoding/json"
	"fmt"
	"strings"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/pipeline"
)

// printer prints what happens in the pipeline.
type printer struct{ *pipeline.Printer }

func newPrinter(form string, streams cli.Streams) *printer {
	return &printer{pipeline.NewPrinter(form, streams)}
}

// overview prints what is running, and explains the terms in the output.
func (p *printer) overview(o *options, c *cloud, pl *process, n *pipeline.Node) {
	p.Printf("Aerosink runs in this process, from Aerospike's replication to Google Cloud:")
	p.Printf("")
	if n != nil {
		p.Row("node", n.Addr(), "takes writes of any Aerospike client. It is one node, in memory, for development, and not Aerospike's server. Namespaces "+o.node.List())
	}
	p.Row("connector", pl.connector.XDR.Addr().String(), "receives changes over XDR, Aerospike's replication protocol; metrics at http://"+pl.connector.Manage.Addr().String()+"/metrics")
	p.Row("function", "http://"+pl.function.Addr().String(), "receives the connector's POSTs, and stores each change in")
	for _, s := range o.specs {
		p.Row("", "", s.URL)
	}
	p.Row("Pub/Sub", c.pubsub.Addr, "an emulator")
	p.Row("Cloud Storage", c.storage.URL(), "an emulator, whose objects are in "+c.folder)
	p.Printf("")
	if p.Form == pipeline.FormText {
		p.terms(o)
	}
}

// terms explains the terms in messages.
func (p *printer) terms(o *options) {
	p.Printf("Each change below is a message in Pub/Sub. Its attributes and its ordering key:")
	p.Printf("")
	for _, t := range []struct{ name, meaning string }{
		{"digest", "identifies the record: a hash of its set and key"},
		{"partition", "the record's Aerospike partition, one of 4096 in a namespace, chosen by the digest"},
		{"lut", "the record's last update time (LUT), in Unix milliseconds"},
		{"ordering key", fmt.Sprintf("the shard: the partition modulo %d; Pub/Sub keeps changes with the same key in order", o.ordering)},
	} {
		row := fmt.Sprintf("  %-13s  ", t.name)
		p.Paragraph(len(row), row+t.meaning)
	}
	p.Printf("")
}

// instructions prints how to use what is running.
func (p *printer) instructions(o *options, c *cloud, pl *process, n *pipeline.Node) {
	node, address := "", pipeline.ClientAddress(n.Addr())
	if address != pipeline.DefaultNode {
		node = " -node " + address
	}
	p.Printf("Write a record, in a second terminal, or with any Aerospike client at %s:", address)
	p.Printf("")
	p.Verbatim("go run ./function/cmd/local%s put %s.customers k1 name=Joe age=27", node, o.node.Example())
	p.Printf("")
	for _, topic := range c.topics {
		p.Printf("To read the messages with your own client, subscribe to %s with", topic)
		p.Printf("")
		p.Verbatim("export PUBSUB_EMULATOR_HOST=%s", c.pubsub.Addr)
		p.Printf("")
	}
	for _, bucket := range c.buckets {
		p.Printf("To see the objects:")
		p.Printf("")
		p.Verbatim("CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE=%s/ gcloud storage ls --recursive gs://%s", c.storage.URL(), bucket)
		p.Verbatim("curl %s/storage/v1/b/%s/o", c.storage.URL(), bucket)
		p.Printf("")
	}
	p.ShipFrom(pl.connector.XDR.Addr().String())
	p.Printf("Press Ctrl-C to stop. Changes, as they come out of Pub/Sub, and objects, as they appear in Cloud Storage:")
	p.Printf("")
}

// message prints a change as it came out of Pub/Sub.
func (p *printer) message(m *pubsubpb.PubsubMessage) {
	switch p.Form {
	case pipeline.FormJSON:
		p.Count++
		p.messageJSON(m)
	case pipeline.FormLine:
		p.Line(m.Attributes, m.Data)
	default:
		p.Head(m.Attributes)
		p.Attributes(m.Attributes)
		p.Property("ordering key", m.OrderingKey)
		p.Property("data", pipeline.DataText(m.Attributes["format"], m.Data))
		p.Change(0)
	}
}

// messageJSON prints a change as a JSON object: the attributes, the ordering key if there is
// one, and the data, as JSON if they are that and in Base64 if not.
func (p *printer) messageJSON(m *pubsubpb.PubsubMessage) {
	object := struct {
		ID          string             `json:"id"`
		Attributes  map[string]string  `json:"attributes"`
		OrderingKey string             `json:"orderingKey,omitempty"`
		Data        stdjson.RawMessage `json:"data,omitempty"`
		Bytes       []byte             `json:"bytes,omitempty"`
	}{ID: m.MessageId, Attributes: m.Attributes, OrderingKey: m.OrderingKey, Bytes: m.Data}
	if stdjson.Valid(m.Data) {
		object.Data, object.Bytes = m.Data, nil
	}
	p.JSON(object)
}

// notice prints a new object, from a notification of Cloud Storage.
func (p *printer) notice(m *pubsubpb.PubsubMessage) {
	var about struct {
		Size     stdjson.Number    `json:"size"`
		Metadata map[string]string `json:"metadata"`
	}
	name := "gs://" + m.Attributes["bucketId"] + "/" + m.Attributes["objectId"]
	if err := stdjson.Unmarshal(m.Data, &about); err != nil {
		p.Note(10, cli.Span{Text: "  "}, cli.Span{Text: "object", Style: cli.Blue}, cli.Span{Text: "  " + name})
		return
	}
	p.Object(name, about.Metadata["changes"], about.Size.String())
}

// objects prints the objects in the bucket.
func (p *printer) objects(objects []object) {
	p.Printf("The same changes in Cloud Storage:")
	p.Printf("")
	for _, o := range objects {
		p.Verbatim("gs://%s/%s", bucketName, o.name)
		p.Verbatim("    %s, %s", cli.Count(strings.Count(o.text, "\n"), "change"), cli.Count(len(o.text), "byte"))
	}
	p.Printf("")
}

// summary prints the counts of a successful run. It returns the first error of any print.
func (p *printer) summary(k *checker, objects []object) error {
	dropped := ""
	if k.Dropped > 0 {
		dropped = ", and " + cli.Count(k.Dropped, "monitor record") + " of transactions, which the connector drops"
	}
	p.Printf("%s went in%s. All came out of Pub/Sub, in %s, and of Cloud Storage, in %s.",
		cli.Count(len(k.Entries), "change"), dropped, cli.Count(p.Count, "message"), cli.Count(len(objects), "object"))
	return p.Err
}
