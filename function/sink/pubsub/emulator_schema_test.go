package pubsub_test

import (
	"context"
	"testing"

	apiv1 "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/row"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// Google's emulator accepts the schema of rows as the schema of a topic. The topic then
// accepts what data=avro publishes and nothing else.
func TestPut_topicWithRowSchema(t *testing.T) {
	startEmulator(t)
	schemas, err := apiv1.NewSchemaClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer schemas.Close()
	const project, schema = "projects/test-project", "projects/test-project/schemas/rows"
	waitForEmulator(t, func(ctx context.Context) error {
		_, err := schemas.CreateSchema(ctx, &pubsubpb.CreateSchemaRequest{Parent: project, SchemaId: "rows",
			Schema: &pubsubpb.Schema{Type: pubsubpb.Schema_AVRO, Definition: row.Schema}})
		return err
	})
	topics, err := apiv1.NewTopicAdminClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer topics.Close()
	settings := &pubsubpb.SchemaSettings{Schema: schema, Encoding: pubsubpb.Encoding_BINARY}
	if _, err := topics.CreateTopic(t.Context(), &pubsubpb.Topic{Name: sinktest.Topic, SchemaSettings: settings}); err != nil {
		t.Fatal(err)
	}
	if verdicts := open(t, sinktest.PubSubSink+"?data=avro", sink.Options{}).Put(t.Context(), sinktest.Batch("orders", 3)); verdicts != nil {
		t.Error("rows were refused:", verdicts)
	}
	if verdicts := open(t, sinktest.PubSubSink, sink.Options{}).Put(t.Context(), sinktest.Batch("orders", 1)); verdicts == nil {
		t.Error("JSON was accepted")
	}
}
