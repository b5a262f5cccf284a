package kinesis

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// probe checks that the stream exists, keeps order, and may be written to. It stores nothing.
func (c *streamConfig) probe(ctx context.Context) error {
	s, err := newStream(ctx, *c)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.check(ctx); err != nil {
		return fmt.Errorf("check stream %s: %w", c.stream, err)
	}
	return nil
}

func (s *stream) check(ctx context.Context) error {
	summary, err := s.describe(ctx)
	if isDenied(err) {
		err = fmt.Errorf("its settings cannot be checked: %w; allow the role of this program kinesis:DescribeStreamSummary on %s, or do without this check: writing needs kinesis:PutRecords alone", err, s.arn)
		if write := s.checkWrite(ctx); write != nil {
			return write
		}
		return err
	}
	if err != nil {
		return s.explain(err)
	}
	if err := s.checkSettings(summary); err != nil {
		return err
	}
	return s.checkWrite(ctx)
}

// checkWrite checks that the program may put records.
func (s *stream) checkWrite(ctx context.Context) error {
	err := s.dryRun(ctx)
	switch {
	case err == nil:
		return errors.New("the endpoint does not know dry runs of PutRecords, and has stored a record {} with the partition key 0")
	case codeOf(err) == codeDryRun:
		return nil
	}
	return s.explain(err)
}

// checkSettings checks what a description of the stream says.
func (s *stream) checkSettings(summary *types.StreamDescriptionSummary) error {
	switch {
	case summary.StreamStatus != types.StreamStatusActive && summary.StreamStatus != types.StreamStatusUpdating:
		return fmt.Errorf("it is %s, and takes records only when it is ACTIVE", summary.StreamStatus)
	case summary.RecordDistributionStrategy == types.RecordDistributionStrategyAuto:
		return fmt.Errorf("it distributes records without regard to their partition keys, so the versions of a record are read in any order; "+
			"change that with aws kinesis update-stream-record-distribution-strategy --region %s --stream-arn %s --record-distribution-strategy USER_PARTITION_KEY", s.region, s.arn)
	}
	return nil
}
