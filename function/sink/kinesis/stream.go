package kinesis

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/aerosink/aerosink/function/sink/awsconfig"
	"github.com/aerosink/aerosink/function/sink/ordered"
)

// stream is a stream of Kinesis. Its methods may be called by several goroutines at once, and
// make one attempt each.
type stream struct {
	streamConfig
	client   *kinesis.Client
	protocol smithyhttp.ClientProtocol // of the client
	arn      string
	input    *kinesis.PutRecordsInput // of all calls; their records are elsewhere
	limit    *recordLimit
}

// newStream makes the client of a stream. It does not connect.
func newStream(ctx context.Context, c streamConfig) (*stream, error) {
	config, err := awsconfig.Load(ctx, c.region)
	if err != nil {
		return nil, err
	}
	s := &stream{streamConfig: c, arn: c.arn()}
	s.client = kinesis.NewFromConfig(config, func(o *kinesis.Options) {
		if c.endpoint != "" {
			o.BaseEndpoint = aws.String(c.endpoint)
		}
	})
	s.protocol = s.client.Options().Protocol
	s.input = &kinesis.PutRecordsInput{StreamARN: &s.arn, Records: []types.PutRecordsRequestEntry{}}
	s.limit = newRecordLimit(s.describe)
	return s, nil
}

// put puts records into the stream, and sets their results. If it returns an error, the results
// are those of none. It returns the size of the request's body.
func (s *stream) put(ctx context.Context, records []record, results []ordered.Result) (bytes int, err error) {
	p := &putProtocol{ClientProtocol: s.protocol, arn: s.arn, records: records, results: results}
	_, err = s.client.PutRecords(ctx, s.input, func(o *kinesis.Options) { o.Protocol = p })
	return p.bytes, err
}

// describe returns a description of the stream.
func (s *stream) describe(ctx context.Context) (*types.StreamDescriptionSummary, error) {
	out, err := s.client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamARN: &s.arn})
	switch {
	case err != nil:
		return nil, err
	case out.StreamDescriptionSummary == nil:
		return nil, errors.New("the response to DescribeStreamSummary has no description")
	}
	return out.StreamDescriptionSummary, nil
}

// dryRun asks whether records may be put into the stream, and puts none. Without an error the
// endpoint does not know the parameter, and has stored one.
func (s *stream) dryRun(ctx context.Context) error {
	_, err := s.client.PutRecords(ctx, &kinesis.PutRecordsInput{
		StreamARN: &s.arn,
		DryRun:    aws.Bool(true),
		Records:   []types.PutRecordsRequestEntry{{PartitionKey: aws.String("0"), Data: []byte("{}")}},
	})
	return err
}

// close closes idle connections.
func (s *stream) close() { awsconfig.CloseIdleConnections(s.client.Options().HTTPClient) }
