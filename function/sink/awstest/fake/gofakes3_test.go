package fake_test

import (
	"io"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/aerosink/aerosink/function/sink/awstest"
)

// gofakes3Differs lists the uploads of which gofakes3 thinks otherwise.
var gofakes3Differs = map[string]difference{
	"a wrong CRC32C":                       {"", "", "it verifies no checksum but Content-MD5"},
	"CRC-64/NVME":                          {"", "", "it verifies no checksum but Content-MD5"},
	"2 KB of metadata":                     {"MetadataTooLarge", "", "it takes 2 KB for 2,000 bytes"},
	"a key of KMS without KMS":             {"", "", "it knows no encryption"},
	"another encryption":                   {"", "", "it knows no encryption"},
	"another condition":                    {"", "", "it does not look at what the condition is"},
	"a header that the fake does not know": {"", "", "it takes them all"},
}

// gofakes3, a fake of S3 by others, agrees about the same uploads, but for what is listed.
func TestGofakes3_uploads(t *testing.T) {
	client := startGofakes3(t)
	for _, tt := range uploads {
		t.Run(tt.name, func(t *testing.T) {
			want := difference{tt.code, "", ""}
			if d, ok := gofakes3Differs[tt.name]; ok {
				want = d
			}
			if _, err := client.PutObject(t.Context(), tt.in()); code(err) != want.code {
				t.Errorf("%v, want %q", err, want.code)
			}
		})
	}
}

func startGofakes3(t *testing.T) *s3.Client {
	t.Helper()
	awstest.Start(t) // for the credentials
	backend := s3mem.New()
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	if err := backend.CreateBucket(awstest.Bucket); err != nil {
		t.Fatal(err)
	}
	return s3.NewFromConfig(config(t), func(o *s3.Options) {
		o.BaseEndpoint = &server.URL
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired // it returns the checksum of all with a part
	})
}

// Both return the same ranges and the same pages.
func TestGofakes3_reads(t *testing.T) {
	awstest.Start(t)
	for name, client := range map[string]*s3.Client{"ours": s3.NewFromConfig(config(t)), "gofakes3": startGofakes3(t)} {
		for _, key := range []string{"p/z", "p/a/2", "p/a/1", "p/b", "other", "p/a%2Fb"} {
			if _, err := client.PutObject(t.Context(), putObject(key, "content")); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String(awstest.Bucket), Prefix: aws.String("p/"), MaxKeys: aws.Int32(2)}); pages.HasMorePages(); {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Contents {
				got = append(got, *o.Key)
			}
		}
		for _, r := range []string{"bytes=1-3", "bytes=5-", "bytes=-2", "bytes=3-100"} {
			out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(awstest.Bucket), Key: aws.String("p/b"), Range: &r})
			if err != nil {
				t.Fatal(name, r, err)
			}
			content, err := io.ReadAll(out.Body)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(content))
		}
		want := []string{"p/a%2Fb", "p/a/1", "p/a/2", "p/b", "p/z", "ont", "nt", "nt", "tent"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
