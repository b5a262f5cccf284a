package row

import (
	"bytes"
	"regexp"
	"runtime/debug"
	"testing"

	goparquet "github.com/fraugster/parquet-go"
)

// createdByForm is how Parquet says that a program names itself, as parquet-java reads it
// (https://github.com/apache/parquet-java, VersionParser).
var createdByForm = regexp.MustCompile(`^(\S+) version (\S+) \(build (\S+)\)$`)

func TestParquetFile_createdBy(t *testing.T) {
	file, err := ParquetFile(nil, "none")
	if err != nil {
		t.Fatal(err)
	}
	metadata, err := goparquet.ReadFileMetaData(bytes.NewReader(file), true)
	if err != nil {
		t.Fatal(err)
	}
	if text := metadata.GetCreatedBy(); !createdByForm.MatchString(text) {
		t.Errorf("%q, want %s", text, createdByForm)
	}
}

func TestProgram(t *testing.T) {
	for _, tt := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{nil, "aerosink version devel (build unknown)"},
		{&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "aerosink version devel (build unknown)"},
		{&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "1a2b3c4"}}}, "aerosink version 1.2.3 (build 1a2b3c4)"},
	} {
		if got := program(tt.info); got != tt.want || !createdByForm.MatchString(got) {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
