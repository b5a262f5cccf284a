package function

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

// Variable is one variable of the environment.
type Variable struct {
	Name    string
	Default string // what an empty or absent one means; "" is nothing
	Meaning string
}

// The variables that the function reads, declared once.
var (
	port        = Variable{"PORT", "8080", "port of the server"}
	sinks       = Variable{"SINKS", "", "where changes go, all of them: URLs separated by commas; required"}
	metadataKey = Variable{"METADATA_KEY", "metadata", "member of flat JSON, or field or entry of Avro, that holds the metadata"}
	avroSchema  = Variable{"AVRO_SCHEMA", "", "path of the schema of Avro data that come alone; container files bring their own"}
	maxBody     = Variable{"MAX_BODY", "32MiB", "largest request body"}
	timeout     = Variable{"TIMEOUT", "9s", "for making a request's changes durable; XDR waits 10s"}
	project     = Variable{"GOOGLE_CLOUD_PROJECT", "", "project that log lines name in their trace"}
)

// Variables returns all variables that the function reads itself. Google's clients
// read more, PUBSUB_EMULATOR_HOST and STORAGE_EMULATOR_HOST among them.
func Variables() []Variable {
	return []Variable{port, sinks, metadataKey, avroSchema, maxBody, timeout, project}
}

// of returns the variable's value, or its default.
func (v Variable) of(getenv func(string) string) string {
	if value := strings.TrimSpace(getenv(v.Name)); value != "" {
		return value
	}
	return v.Default
}

// Config is what the environment says. It is valid by construction.
type Config struct {
	Port    string
	Sinks   []sink.Spec
	Parser  format.Parser
	MaxBody int64 // bytes
	Timeout time.Duration
}

// ParseConfig reads the environment. The error joins every fault, each with the
// name of its variable. What the log: sink writes goes to log.
func ParseConfig(getenv func(string) string, log io.Writer) (Config, error) {
	var faults []error
	fault := func(v Variable, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", v.Name, err))
		}
	}
	c := Config{Port: port.of(getenv), Parser: format.Parser{MetadataKey: metadataKey.of(getenv)}}
	var err error
	c.Parser.Avro, err = readSchema(avroSchema.of(getenv), c.Parser.MetadataKey)
	fault(avroSchema, err)
	if n, err := strconv.ParseUint(c.Port, 10, 16); err != nil {
		fault(port, fmt.Errorf("%q is no port between 0 and %d", c.Port, math.MaxUint16))
	} else {
		c.Port = strconv.FormatUint(n, 10)
	}
	c.MaxBody, err = parseSize(maxBody.of(getenv))
	fault(maxBody, err)
	c.Timeout, err = parseTimeout(timeout.of(getenv))
	fault(timeout, err)
	o := sink.Options{Timeout: c.Timeout, Log: log}
	for text := range strings.SplitSeq(sinks.of(getenv), ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		s, err := sink.Parse(text, o)
		fault(sinks, err)
		c.Sinks = append(c.Sinks, s)
	}
	if len(c.Sinks) == 0 {
		fault(sinks, errors.New("empty, so changes have nowhere to go; set for example pubsub://PROJECT/TOPIC"))
	}
	return c, errors.Join(faults...)
}

// readSchema reads the schema in the file path; without a path there is none.
func readSchema(path, metadataKey string) (*format.Avro, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	schema, err := format.NewAvro(string(text), metadataKey, true)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return schema, nil
}

func parseTimeout(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no duration; write for example 9s", text)
	}
	return d, nil
}

// parseSize reads a number of bytes, or one with KiB, MiB or GiB behind it.
func parseSize(text string) (int64, error) {
	digits, shift := text, 0
	for suffix, by := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30} {
		if d, ok := strings.CutSuffix(text, suffix); ok {
			digits, shift = d, by
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is no size; write for example 32MiB", text)
	}
	return n << shift, nil
}
