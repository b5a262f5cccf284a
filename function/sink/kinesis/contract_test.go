package kinesis_test

import (
	"testing"

	"github.com/aerosink/aerosink/function/sink/kinesis"
	"github.com/aerosink/aerosink/function/sink/sinktest/contract"
)

func TestContract(t *testing.T) { contract.Run(t, contract.Kinesis(kinesis.Parse)) }
