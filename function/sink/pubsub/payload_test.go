package pubsub

import (
	"strconv"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink/payload"
)

// The attributes of a message are those that other sinks write, too.
func TestMessageWriter_samePayloadAttributes(t *testing.T) {
	for _, c := range []change.Change{
		{},
		{Namespace: "shop", Set: "orders", Digest: change.Digest{1, 2, 3}, Generation: 7, LUT: 1764000000000, Expiry: 1},
		{Namespace: "shop", Op: change.Delete, Digest: change.Digest{255}, LUT: 5},
		{Namespace: "shop", Expiry: change.ExpiryUnknown},
	} {
		var w messageWriter
		w.change(&c, "json")
		var request pubsubpb.PublishRequest
		if err := proto.Unmarshal(w.append(nil, nil, ""), &request); err != nil {
			t.Fatal(err)
		}
		want, got := request.GetMessages()[0].GetAttributes(), map[string]string{}
		for _, a := range payload.AppendAttributes(nil, &c, "json") {
			got[a.Name] = a.Value
			if _, err := strconv.ParseInt(a.Value, 10, 64); (err == nil) != a.Number {
				t.Errorf("%s=%s, a number: %t", a.Name, a.Value, a.Number)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: %s", c, diff)
		}
	}
}
