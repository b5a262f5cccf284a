package main

import (
	stdjson "encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/connector/cli"
)

// printer prints what happens in the pipeline. After an error of a writer it prints nothing
// more.
type printer struct {
	form    string
	changes io.Writer // of the changes
	notes   io.Writer // of all else; that of the changes, except in formJSON
	screen  cli.Screen
	err     error
	count   int // changes printed
}

func newPrinter(form string, streams cli.Streams) *printer {
	p := &printer{form: form, changes: streams.Stdout, notes: streams.Stdout, screen: cli.ScreenOf(streams.Stdout)}
	if form == formJSON {
		p.notes, p.screen = streams.Stderr, cli.ScreenOf(streams.Stderr)
	}
	return p
}

// write writes text.
func (p *printer) write(w io.Writer, text string) {
	if p.err == nil {
		_, p.err = io.WriteString(w, text)
	}
}

// noteColumns is how long lines of notes are where it is not a terminal that says so.
const noteColumns = 120

// printf prints a note, in lines that fit.
func (p *printer) printf(text string, args ...any) {
	p.paragraph(0, fmt.Sprintf(text, args...))
}

// row prints a row of a table.
func (p *printer) row(name, address, text string) {
	row := fmt.Sprintf("  %-13s  %-24s ", name, address)
	p.paragraph(len(row), row+text)
}

// paragraph prints text in lines that fit, the first without the indent.
func (p *printer) paragraph(indent int, text string) {
	screen := p.screen
	if screen.Columns == 0 {
		screen.Columns = noteColumns
	}
	p.write(p.notes, wrapped(screen, indent, span{text: text}))
}

// verbatim prints a line that is to be copied, and so is never wrapped.
func (p *printer) verbatim(line string, args ...any) {
	p.write(p.notes, fmt.Sprintf("  "+line+"\n", args...))
}

// overview prints what is running, and explains the terms in the output.
func (p *printer) overview(o *options, c *cloud, pl *pipeline, n *node) {
	p.printf("Aerosink runs in this process, from Aerospike's replication to Google Cloud:")
	p.printf("")
	if n != nil {
		p.row("node", n.Addr(), "takes writes of any Aerospike client. It is one node, in memory, for development, and not Aerospike's server. Namespaces "+o.namespaceList())
	}
	p.row("connector", pl.xdr.Addr().String(), "receives changes over XDR, Aerospike's replication protocol; metrics at http://"+pl.manage.Addr().String()+"/metrics")
	p.row("function", "http://"+pl.function.Addr().String(), "receives the connector's POSTs, and stores each change in")
	for _, s := range o.specs {
		p.row("", "", s.URL)
	}
	p.row("Pub/Sub", c.pubsub.Addr, "an emulator")
	p.row("Cloud Storage", c.storage.URL(), "an emulator, whose objects are in "+c.folder)
	p.printf("")
	if p.form == formText {
		p.terms(o)
	}
}

// terms explains the terms in messages.
func (p *printer) terms(o *options) {
	p.printf("Each change below is a message in Pub/Sub. Its attributes and its ordering key:")
	p.printf("")
	for _, t := range []struct{ name, meaning string }{
		{"digest", "identifies the record: a hash of its set and key"},
		{"partition", "the record's Aerospike partition, one of 4096 in a namespace, chosen by the digest"},
		{"lut", "the record's last update time (LUT), in Unix milliseconds"},
		{"ordering key", fmt.Sprintf("the shard: the partition modulo %d; Pub/Sub keeps changes with the same key in order", o.ordering)},
	} {
		row := fmt.Sprintf("  %-13s  ", t.name)
		p.paragraph(len(row), row+t.meaning)
	}
	p.printf("")
}

// instructions prints how to use what is running.
func (p *printer) instructions(o *options, c *cloud, pl *pipeline, n *node) {
	node, address := "", clientAddress(n.Addr())
	if address != defaultNode {
		node = " -node " + address
	}
	p.printf("Write a record, in a second terminal, or with any Aerospike client at %s:", address)
	p.printf("")
	p.verbatim("go run ./function/cmd/local%s put %s.customers k1 name=Joe age=27", node, o.exampleNamespace())
	p.printf("")
	for _, topic := range c.topics {
		p.printf("To read the messages with your own client, subscribe to %s with", topic)
		p.printf("")
		p.verbatim("export PUBSUB_EMULATOR_HOST=%s", c.pubsub.Addr)
		p.printf("")
	}
	for _, bucket := range c.buckets {
		p.printf("To see the objects:")
		p.printf("")
		p.verbatim("CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE=%s/ gcloud storage ls --recursive gs://%s", c.storage.URL(), bucket)
		p.verbatim("curl %s/storage/v1/b/%s/o", c.storage.URL(), bucket)
		p.printf("")
	}
	xdrAddress, hint := nodeAddress(pl.xdr.Addr().String())
	p.printf("To ship the changes of a real database, run these on each node of an Aerospike Enterprise cluster that can connect to %s (%s):", xdrAddress, hint)
	p.printf("")
	for _, command := range []string{
		"dc=aerosink;action=create", "dc=aerosink;connector=true",
		"dc=aerosink;node-address-port=" + xdrAddress + ";action=add", "dc=aerosink;namespace=NAMESPACE;action=add",
	} {
		p.verbatim(`asinfo -v "set-config:context=xdr;%s"`, command)
	}
	p.printf("")
	p.printf("Press Ctrl-C to stop. Changes, as they come out of Pub/Sub, and objects, as they appear in Cloud Storage:")
	p.printf("")
}

// message prints a change as it came out of Pub/Sub.
func (p *printer) message(m *pubsubpb.PubsubMessage) {
	p.count++
	switch p.form {
	case formJSON:
		p.messageJSON(m)
	case formLine:
		p.messageLine(m)
	default:
		p.messageText(m)
	}
}

// messageText prints a change in five lines.
func (p *printer) messageText(m *pubsubpb.PubsubMessage) {
	const indent = 22
	a := m.Attributes
	p.change(indent, span{text: fmt.Sprintf("%4d  ", p.count)}, opSpan(m, 14), span{text: "  "}, span{recordPath(a), bold},
		span{text: "  " + updateTime(a["lut"], "2006-01-02 15:04:05.000 UTC")})
	attributes := []span{{text: "      attributes      "}}
	for i, name := range slices.Sorted(maps.Keys(a)) {
		if i > 0 {
			attributes = append(attributes, span{text: " "})
		}
		attributes = append(attributes, span{name + "=", dim}, span{text: a[name]})
	}
	p.change(indent, attributes...)
	p.change(indent, span{text: "      ordering key    " + m.OrderingKey})
	p.change(indent, span{text: "      data            " + dataText(m)})
	p.change(0)
}

// messageLine prints a change in one line.
func (p *printer) messageLine(m *pubsubpb.PubsubMessage) {
	const indent = 6
	c := describe(m)
	spans := []span{
		{text: fmt.Sprintf("%4d  ", p.count)},
		{updateTime(m.Attributes["lut"], "15:04:05.000") + "  ", dim},
		opSpan(m, len("delete")), {text: "  "}, {recordPath(m.Attributes), bold}, {text: "  "}, {c.key, dim},
	}
	if generation := m.Attributes["generation"]; generation != "" {
		spans = append(spans, span{text: "  generation " + generation})
	}
	if c.content != "" {
		spans = append(spans, span{text: "  " + c.content})
	}
	p.change(indent, spans...)
}

// change prints a line about a change.
func (p *printer) change(indent int, spans ...span) {
	p.write(p.changes, wrapped(p.screen, indent, spans...))
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
	if p.err != nil {
		return
	}
	e := stdjson.NewEncoder(p.changes)
	e.SetEscapeHTML(false)
	p.err = e.Encode(object)
}

// opSpan returns the operation of a message, at least width wide. A message of several
// changes has none.
func opSpan(m *pubsubpb.PubsubMessage, width int) span {
	op, style := m.Attributes["op"], ""
	switch {
	case op == "write":
		style = green
	case op != "":
		style = red
	default:
		op = countText(m.Attributes["changes"], "change")
	}
	return span{fmt.Sprintf("%-*s", width, op), style}
}

// recordPath returns the namespace and the set of a message.
func recordPath(attributes map[string]string) string {
	return strings.TrimSuffix(attributes["namespace"]+"."+attributes["set"], ".")
}

// updateTime returns a last update time, in Unix milliseconds, in a layout; "" if it is
// unknown.
func updateTime(lut, layout string) string {
	var ms int64
	if _, err := fmt.Sscan(lut, &ms); err != nil || ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(layout)
}

// notice prints a new object, from a notification of Cloud Storage.
func (p *printer) notice(m *pubsubpb.PubsubMessage) {
	var about struct {
		Size     stdjson.Number    `json:"size"`
		Metadata map[string]string `json:"metadata"`
	}
	name := "gs://" + m.Attributes["bucketId"] + "/" + m.Attributes["objectId"]
	if err := stdjson.Unmarshal(m.Data, &about); err != nil {
		p.note(10, span{text: "  "}, span{"object", blue}, span{text: "  " + name})
		return
	}
	p.note(10, span{text: "  "}, span{"object", blue}, span{text: "  " + name + "  " + countText(about.Metadata["changes"], "change") + ", " + countText(about.Size.String(), "byte")})
	if p.form == formText {
		p.printf("")
	}
}

// countText returns a count and a noun, as [cli.Count] does.
func countText(count, noun string) string {
	n, err := strconv.Atoi(count)
	if err != nil {
		return "some " + noun + "s"
	}
	return cli.Count(n, noun)
}

// note prints a line that is not about a change.
func (p *printer) note(indent int, spans ...span) {
	p.write(p.notes, wrapped(p.screen, indent, spans...))
}

// missed prints how many messages were not shown.
func (p *printer) missed(n int) {
	if n > 0 {
		p.printf("%s came faster than they can be shown, and are left out here", cli.Count(n, "message"))
	}
}

// objects prints the objects in the bucket.
func (p *printer) objects(objects []object) {
	p.printf("The same changes in Cloud Storage:")
	p.printf("")
	for _, o := range objects {
		p.verbatim("gs://%s/%s", bucketName, o.name)
		p.verbatim("    %s, %s", cli.Count(strings.Count(o.text, "\n"), "change"), cli.Count(len(o.text), "byte"))
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

// clientAddress returns where a client on this machine finds a listener with this address.
func clientAddress(listener string) string {
	host, port, _ := net.SplitHostPort(listener) // the address of a listener is valid
	if net.ParseIP(host).IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listener
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
