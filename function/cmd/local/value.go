package main

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/format/json"
)

// maxBinName is the most bytes of a bin's name; the server answers 21 to a longer one.
const maxBinName = 15

// valueRule says how the value of a bin is written on a command line.
const valueRule = `A VALUE that is JSON is what it is in JSON: 27, 2.5, true, ["a",1], {"a":1}, "27".
Any other VALUE is a string as it stands. null deletes the bin.`

// parseBin parses NAME=VALUE; see valueRule. Errors do not contain the value.
func parseBin(text string) (*as.Bin, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return nil, cli.Usagef("an argument is not NAME=VALUE")
	}
	if len(name) == 0 || len(name) > maxBinName {
		return nil, cli.Usagef("bin %q: the name has %d bytes; it must have 1 to %d", name, len(name), maxBinName)
	}
	v, err := parseValue(value)
	if err != nil {
		return nil, cli.Usagef("bin %q: %w", name, err)
	}
	return as.NewBin(name, v), nil
}

// parseValue returns the value that a client writes for text; nil deletes a bin.
func parseValue(text string) (any, error) {
	raw := jsontext.Value(text)
	if !raw.IsValid() { // duplicate names are not valid
		if text != "" && strings.ContainsRune(`[{"`, rune(text[0])) {
			return nil, fmt.Errorf("the value begins with %c but is not JSON; to store it as a string, put it into double quotes inside single quotes, as in '\"…\"'", text[0])
		}
		return text, nil
	}
	v, err := json.ParseValue(raw, change.Unordered)
	if err != nil {
		return nil, err
	}
	switch v.Kind() {
	case change.KindNil:
		return nil, nil
	case change.KindInteger:
		return v.Integer(), nil
	case change.KindDouble:
		return v.Double(), nil
	case change.KindBool:
		return v.Bool(), nil
	case change.KindString:
		return string(v.Bytes()), nil
	case change.KindList, change.KindMap:
		return as.NewRawBlobValue(int(v.Kind()), v.Packed()), nil
	}
	return nil, fmt.Errorf("a number does not fit into 64 bits; to store it as a string, put it into double quotes inside single quotes, as in '\"…\"'")
}

// jsonText returns a value that a client has read as JSON: bytes in Base64, and the keys of
// a map, which may be of any kind, as strings.
func jsonText(v any) ([]byte, error) {
	var b bytes.Buffer
	e := stdjson.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(plain(v)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// plain returns v with the types that encoding/json has a form for.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	case map[any]any:
		m := make(map[string]any, len(v))
		for key, element := range v {
			m[fmt.Sprint(key)] = plain(element)
		}
		return m
	case []as.MapPair: // an ordered map
		m := make(map[string]any, len(v))
		for _, pair := range v {
			m[fmt.Sprint(pair.Key)] = plain(pair.Value)
		}
		return m
	case as.GeoJSONValue:
		if text := string(v); stdjson.Valid([]byte(text)) {
			return stdjson.RawMessage(text)
		}
		return string(v)
	case as.HLLValue:
		return []byte(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
		if math.Abs(v) >= 1<<63 { // without an exponent it would read as an integer that is too large
			return stdjson.RawMessage(strconv.FormatFloat(v, 'e', -1, 64))
		}
	}
	return v
}
