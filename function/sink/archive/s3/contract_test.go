package s3_test

import (
	"testing"

	"github.com/aerosink/aerosink/function/sink/archive/s3"
	"github.com/aerosink/aerosink/function/sink/sinktest/contract"
)

func TestContract(t *testing.T) { contract.Run(t, contract.S3(s3.Parse)) }
