package sqs

import (
	"testing"

	"github.com/aerosink/aerosink/function/sink/sinktest/contract"
)

func TestContract(t *testing.T) { contract.Run(t, contract.SQS(Parse)) }
