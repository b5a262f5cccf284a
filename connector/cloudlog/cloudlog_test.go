package cloudlog_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/cloudlog"
)

func TestNewHandler_names(t *testing.T) {
	for level, severity := range map[slog.Level]string{
		slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO", slog.LevelWarn: "WARNING", slog.LevelError: "ERROR",
		cloudlog.LevelCritical: "CRITICAL",
	} {
		var out bytes.Buffer
		log := slog.New(cloudlog.NewHandler(&out, slog.LevelDebug))
		log.Log(t.Context(), level, "text", slog.Group("group", "msg", "kept", "level", "kept"))
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		delete(got, "time")
		want := map[string]any{"severity": severity, "message": "text", "group": map[string]any{"msg": "kept", "level": "kept"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", level, diff)
		}
	}
}

func TestNewHandler_level(t *testing.T) {
	var out bytes.Buffer
	slog.New(cloudlog.NewHandler(&out, slog.LevelWarn)).Info("too low")
	if out.Len() > 0 {
		t.Errorf("logged %s", out.Bytes())
	}
}
