package local

import (
	stdjson "encoding/json"
	"strconv"
	"strings"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/function/pipeline"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// printer prints what arrives in the services.
type printer struct{ *pipeline.Printer }

// overview prints what is running, and explains the terms in the output.
func (p *printer) overview(o *options, c *cloud, f *frontFunction, connector *pipeline.Connector, n *pipeline.Node) {
	p.Printf("Aerosink runs in this process, from Aerospike's replication to AWS:")
	p.Printf("")
	if n != nil {
		p.Row("node", n.Addr(), "takes writes of any Aerospike client. It is one node, in memory, for development, and not Aerospike's server. Namespaces "+o.node.List())
	}
	p.Row("connector", connector.XDR.Addr().String(), "receives changes over XDR, Aerospike's replication protocol; metrics at http://"+connector.Manage.Addr().String()+"/metrics")
	for i, front := range f.fronts {
		text := front.Front.Description() + ", played here, with the function behind it"
		if i == 0 {
			text += "; the connector POSTs to it"
		}
		p.Row(front.Front.String(), front.url, text)
	}
	for i, s := range o.specs {
		text := "stores each change in "
		if i > 0 {
			text = ""
		}
		p.Row(strings.Repeat("function", 1-min(i, 1)), "", text+s.URL)
	}
	p.Row("AWS", c.url, "fakes of SQS, Kinesis and S3")
	p.Printf("")
	if p.Form == pipeline.FormText {
		p.terms()
	}
}

// terms explains the terms in messages.
func (p *printer) terms() {
	p.Printf("Each change below is a message in SQS, a record in Kinesis and a line of an object in S3, as the sinks say. Terms:")
	p.Printf("")
	for _, t := range []struct{ name, meaning string }{
		{"digest", "identifies the record: a hash of its set and key"},
		{"partition", "the record's Aerospike partition, one of 4096 in a namespace, chosen by the digest"},
		{"lut", "the record's last update time (LUT), in Unix milliseconds"},
		{"group", "the message group: the shard, which is the partition modulo " + strconv.Itoa(shards) + "; SQS keeps messages of a group in order"},
		{"deduplication", "the deduplication id: SQS drops a message with the same one for five minutes"},
		{"key", "the partition key of a record: the shard; Kinesis puts records of a key into the same shard of the stream"},
	} {
		p.Paragraph(17, "  "+t.name+strings.Repeat(" ", 15-len(t.name))+t.meaning)
	}
	p.Printf("")
}

// exampleChange is a change in JSON, for curl.
const exampleChange = `{"msg":"write","key":["shop","customers","YHe/ChhqEH4J6OlgibkR39iCttA=","k1"],"gen":1,"exp":0,"lut":1795350896789,"bins":[{"name":"age","type":"int","value":27}]}`

// instructions prints how to use what is running.
func (p *printer) instructions(o *options, c *cloud, f *frontFunction, connector *pipeline.Connector, n *pipeline.Node) {
	node, address := "", pipeline.ClientAddress(n.Addr())
	if address != pipeline.DefaultNode {
		node = " -node " + address
	}
	p.Printf("Write a record, in a second terminal, or with any Aerospike client at %s:", address)
	p.Printf("")
	p.Verbatim("go run ./function/cmd/local%s put %s.customers k1 name=Joe age=27", node, o.node.Example())
	p.Printf("")
	p.Printf("Or send a change without a database:")
	p.Printf("")
	p.Verbatim("curl -H 'Content-Type: application/json' -d '%s' %s", exampleChange, f.fronts[0].url)
	p.Printf("")
	p.destinations(f.fronts[0])
	p.awsCommands(c)
	p.ShipFrom(connector.XDR.Addr().String())
	p.Printf("Press Ctrl-C to stop. Changes, as they arrive in SQS, Kinesis and S3:")
	p.Printf("")
}

// destinations prints how to point a connector of one's own at a front.
func (p *printer) destinations(f *front) {
	p.Printf("To point a connector of your own at the function, in its configuration:")
	p.Printf("")
	for line := range strings.Lines(connectorYAML(f)) {
		p.Verbatim("%s", strings.TrimSuffix(line, "\n"))
	}
	p.Printf("")
	p.Printf("or Aerospike Connect for ESP, which sends one change in a request:")
	p.Printf("")
	for line := range strings.Lines(espYAML(f)) {
		p.Verbatim("%s", strings.TrimSuffix(line, "\n"))
	}
	p.Printf("")
}

// connectorYAML returns the part of the connector's configuration that sends to a front.
func connectorYAML(f *front) string {
	return `destinations:
  lambda:
    urls: ["` + f.url + `"]
    protocol: HTTP_1_1
    max-connections-per-endpoint: 8
    call-timeout: 8s
    connect-timeout: 1s
routing: {mode: static, destination: lambda}
format: json
batching: {enabled: true, max-records: 500, max-bytes: ` + strconv.Itoa(maxBytes(f.Front)) + `}
`
}

// espYAML returns the same for Aerospike Connect for ESP.
func espYAML(f *front) string {
	return `destinations:
  lambda:
    urls: ["` + f.url + `"]
    protocol: HTTP_1_1
    call-timeout: 8000
routing: {mode: static, destination: lambda}
format: json
`
}

// awsCommands prints how to look into the services with AWS's own client.
func (p *printer) awsCommands(c *cloud) {
	if len(c.queues)+len(c.streams)+len(c.buckets) == 0 {
		return
	}
	p.Printf("To look with AWS's own client, version 2:")
	p.Printf("")
	p.Verbatim("export AWS_ENDPOINT_URL=%s AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=%s", c.url, fake.Region)
	for _, queue := range c.queues {
		p.Verbatim("aws sqs receive-message --queue-url %s/%s/%s --max-number-of-messages 10 --message-attribute-names All --message-system-attribute-names All", c.url, fake.Account, queue)
	}
	for _, stream := range c.streams {
		p.Verbatim("aws kinesis list-shards --stream-name %s", stream)
	}
	for _, bucket := range c.buckets {
		p.Verbatim("aws s3api list-objects-v2 --bucket %s", bucket)
	}
	p.Printf("")
}

// arrivals prints what arrived.
func (p *printer) arrivals(a arrivals) {
	for i := range a.messages {
		p.message(&a.messages[i])
	}
	for i := range a.records {
		p.record(&a.records[i])
	}
	for _, o := range a.objects {
		p.Object(o.name(), o.Metadata["changes"], strconv.Itoa(len(o.Content)))
	}
}

// message prints a message in a queue.
func (p *printer) message(m *message) {
	data, err := bodyOf(m)
	if err != nil {
		data = []byte(m.Body)
	}
	switch p.Form {
	case pipeline.FormJSON:
		p.Count++
		p.JSON(messageJSON{
			Queue: m.queue, ID: m.MessageID, Group: m.Group, DeduplicationID: m.DeduplicationID, SequenceNumber: m.SequenceNumber,
			Attributes: m.Attributes, dataJSON: newDataJSON(data),
		})
	case pipeline.FormLine:
		p.Line(m.Attributes, data)
	default:
		p.Head(m.Attributes)
		p.Attributes(m.Attributes)
		p.Property("queue", m.queue)
		p.Property("group", m.Group)
		p.Property("deduplication", m.DeduplicationID)
		p.Property("body", pipeline.DataText(m.Attributes["format"], data))
		p.Change(0)
	}
}

// messageJSON is a message as it is printed in JSON.
type messageJSON struct {
	Queue           string            `json:"queue"`
	ID              string            `json:"id"`
	Group           string            `json:"group,omitempty"`
	DeduplicationID string            `json:"deduplicationId,omitempty"`
	SequenceNumber  string            `json:"sequenceNumber"`
	Attributes      map[string]string `json:"attributes"`
	dataJSON
}

// recordJSON is a record as it is printed in JSON.
type recordJSON struct {
	Stream         string `json:"stream"`
	Shard          string `json:"shard"`
	PartitionKey   string `json:"partitionKey"`
	SequenceNumber string `json:"sequenceNumber"`
	dataJSON
}

// dataJSON is a body, as JSON if it is that and in Base64 if not.
type dataJSON struct {
	Data  stdjson.RawMessage `json:"data,omitempty"`
	Bytes []byte             `json:"bytes,omitempty"`
}

func newDataJSON(data []byte) dataJSON {
	if stdjson.Valid(data) {
		return dataJSON{Data: data}
	}
	return dataJSON{Bytes: data}
}

// record prints a record in a stream.
func (p *printer) record(r *record) {
	if p.Form == pipeline.FormJSON {
		p.JSON(recordJSON{Stream: r.stream, Shard: r.Shard, PartitionKey: r.PartitionKey, SequenceNumber: r.SequenceNumber, dataJSON: newDataJSON(r.Data)})
		return
	}
	p.Change(10, cli.Span{Text: "  "}, cli.Span{Text: "record", Style: cli.Blue},
		cli.Span{Text: "  " + r.stream + "  " + r.Shard + "  key " + r.PartitionKey + "  " + pipeline.DataText("data", r.Data)})
	if p.Form == pipeline.FormText {
		p.Change(0)
	}
}

// summary prints the counts of a successful run. It returns the first error of any print.
func (p *printer) summary(k *checker, a arrivals) error {
	dropped := ""
	if k.Dropped > 0 {
		dropped = ", and " + cli.Count(k.Dropped, "monitor record") + " of transactions, which the connector drops"
	}
	p.Printf("%s went in%s. All came out of SQS, in %s, of Kinesis, in %s, and of S3, in %s.",
		cli.Count(len(k.Entries), "change"), dropped, cli.Count(len(a.messages), "message"), cli.Count(len(a.records), "record"), cli.Count(len(a.objects), "object"))
	return p.Err
}
