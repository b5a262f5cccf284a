package devnode_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// call is a command of a client, as testdata/commands.txt writes it. Values are literals.
type call struct {
	Do        string   `json:"do"`
	Namespace string   `json:"ns"`
	Set       string   `json:"set"`
	Key       string   `json:"key"`
	Bins      []bin    `json:"bins,omitempty"`
	Ops       []callOp `json:"ops,omitempty"`

	DigestOf    string   `json:"digestOf,omitempty"` // another key in DigestSet, whose digest is sent
	DigestSet   string   `json:"digestSet,omitempty"`
	Exists      string   `json:"exists,omitempty"`
	Generation  *uint32  `json:"generation,omitempty"`
	Greater     bool     `json:"greater,omitempty"` // Generation is to be greater, not equal
	TTL         string   `json:"ttl,omitempty"`     // seconds, never or keep
	Filter      string   `json:"filter,omitempty"`  // as in a<5
	Fence       []int64  `json:"fence,omitempty"`   // LUT and generation
	Select      []string `json:"select,omitempty"`  // the bins to read; nil is all
	SendKey     bool     `json:"sendKey,omitempty"`
	Durable     bool     `json:"durable,omitempty"`
	RespondEach bool     `json:"respondEach,omitempty"`
	NoBins      bool     `json:"noBins,omitempty"`

	Rows []call `json:"rows,omitempty"` // of a batch
}

// bin is a bin and its value.
type bin struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// callOp is an operation of the command operate.
type callOp struct {
	Do string `json:"do"`
	bin
}

// outcome is what a client got. Without a generation or a ttl the client did not say.
type outcome struct {
	Code  int               `json:"code"`
	Gen   uint32            `json:"gen,omitempty"`
	TTL   string            `json:"ttl,omitempty"`
	Bins  map[string]string `json:"bins,omitempty"`
	Count *int              `json:"count,omitempty"`
	Rows  []outcome         `json:"rows,omitempty"`

	codes map[string]int // of a client, or of the node, where they differ from Code
}

// noCode is the code of an outcome that has none, because the client has failed.
const noCode = -1000

// story is a sequence of commands in a set of its own.
type story struct {
	title    string
	marks    []string
	commands []call
	want     []outcome
	lines    []string
}

func (s *story) has(mark string) bool { return slices.Contains(s.marks, mark) }

// readStories returns the stories of testdata/commands.txt, in sets of ns that begin with
// prefix.
func readStories(t testing.TB, ns, prefix string) (stories []story) {
	t.Helper()
	text, err := os.ReadFile("testdata/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n# ")
	for i, part := range strings.Split(rest, "\n# ") {
		title, lines, _ := strings.Cut(part, "\n")
		var s story
		s.title, _, _ = strings.Cut(title, " [")
		if _, marks, ok := strings.Cut(strings.TrimSuffix(title, "]"), " ["); ok {
			s.marks = strings.Fields(marks)
		}
		for line := range strings.Lines(lines) {
			line = strings.TrimSpace(line)
			if line == "" {
				continue
			}
			c, want, err := parseLine(line, ns, fmt.Sprintf("%s%d", prefix, i))
			if err != nil {
				t.Fatalf("%s: %s: %v", s.title, line, err)
			}
			s.commands, s.want, s.lines = append(s.commands, c), append(s.want, want), append(s.lines, line)
		}
		stories = append(stories, s)
	}
	return stories
}

func parseLine(line, ns, set string) (c call, want outcome, err error) {
	left, right, ok := strings.Cut(line, " -> ")
	if !ok {
		return c, want, fmt.Errorf("no outcome")
	}
	rows, isBatch := strings.CutPrefix(left, "batch ")
	if !isBatch {
		if c, err = parseCommand(left, ns, set); err == nil {
			want, err = parseOutcome(right)
		}
		return c, want, err
	}
	c = call{Do: "batch", Namespace: ns, Set: set}
	for row := range strings.SplitSeq(rows, " | ") {
		r, err := parseCommand(row, ns, set)
		if err != nil {
			return c, want, err
		}
		c.Rows = append(c.Rows, r)
	}
	for text := range strings.SplitSeq(right, " | ") {
		w, err := parseOutcome(text)
		if err != nil {
			return c, want, err
		}
		want.Rows = append(want.Rows, w)
	}
	if len(want.Rows) != len(c.Rows) {
		return c, want, fmt.Errorf("%d rows, %d outcomes", len(c.Rows), len(want.Rows))
	}
	return c, want, nil
}

func parseCommand(text, ns, set string) (call, error) {
	words := strings.Fields(text)
	c := call{Do: words[0], Namespace: ns, Set: set, DigestSet: set}
	words = words[1:]
	if c.Do != "scan" && c.Do != "query" && c.Do != "truncate" {
		c.Key, words = literalKey(words[0]), words[1:]
	}
	for _, w := range words {
		if option, ok := strings.CutPrefix(w, "@"); ok {
			if err := c.option(option); err != nil {
				return c, err
			}
			continue
		}
		if c.Do == "operate" {
			do, rest, _ := strings.Cut(w, ":")
			name, value, _ := strings.Cut(rest, "=")
			c.Ops = append(c.Ops, callOp{do, bin{name, value}})
			continue
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return c, fmt.Errorf("%q is not a bin", w)
		}
		c.Bins = append(c.Bins, bin{name, value})
	}
	return c, nil
}

// literalKey returns the literal of a key. A bare word is a string, and "-" no key.
func literalKey(word string) string {
	switch {
	case word == "-":
		return "null"
	case strings.ContainsAny(word[:1], `"-0123456789`):
		return word
	}
	return strconv.Quote(word)
}

func (c *call) option(text string) error {
	name, value, _ := strings.Cut(text, ":")
	switch {
	case strings.HasPrefix(text, "gen==") || strings.HasPrefix(text, "gen>"):
		c.Greater = text[3] == '>'
		n, err := strconv.ParseUint(strings.TrimLeft(text, "gen=>"), 10, 32)
		generation := uint32(n)
		c.Generation = &generation
		return err
	case name == "exists":
		c.Exists = value
	case name == "ttl":
		c.TTL = value
	case name == "filter":
		c.Filter = value
	case name == "fence":
		for n := range strings.SplitSeq(value, ":") {
			v, err := strconv.ParseInt(n, 10, 64)
			if err != nil {
				return err
			}
			c.Fence = append(c.Fence, v)
		}
	case name == "ns":
		c.Namespace = value
	case name == "set":
		c.Set = value
	case name == "digestof":
		c.DigestOf = literalKey(value)
	case name == "bins":
		c.Select = strings.Split(value, ",")
	case name == "sendkey":
		c.SendKey = true
	case name == "durable":
		c.Durable = true
	case name == "respond":
		c.RespondEach = true
	case name == "nobins":
		c.NoBins = true
	default:
		return fmt.Errorf("unknown option @%s", text)
	}
	return nil
}

func parseOutcome(text string) (o outcome, err error) {
	words := strings.Fields(text)
	if err := o.parseCodes(words[0]); err != nil {
		return o, err
	}
	for _, w := range words[1:] {
		if option, ok := strings.CutPrefix(w, "@"); ok {
			err = o.option(option)
		} else {
			err = o.bin(w)
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

// parseCodes reads CODE[,WHO=CODE].
func (o *outcome) parseCodes(text string) error {
	first, others, _ := strings.Cut(text, ",")
	var err error
	if o.Code, err = strconv.Atoi(first); err != nil || others == "" {
		return err
	}
	o.codes = map[string]int{}
	for part := range strings.SplitSeq(others, ",") {
		who, code, _ := strings.Cut(part, "=")
		if o.codes[who], err = strconv.Atoi(code); err != nil {
			return err
		}
	}
	return nil
}

func (o *outcome) option(text string) error {
	name, value, _ := strings.Cut(text, ":")
	if name == "ttl" {
		o.TTL = value
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 32)
	switch name {
	case "gen":
		o.Gen = uint32(n)
	case "count":
		count := int(n)
		o.Count = &count
	default:
		return fmt.Errorf("unknown option @%s", text)
	}
	return err
}

func (o *outcome) bin(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("%q is not a bin", text)
	}
	v, err := parseValue(value)
	if o.Bins == nil {
		o.Bins = map[string]string{}
	}
	o.Bins[name] = literal(v)
	return err
}

// differs says how the outcome of a client differs from what is wanted; "" if it does not. Who
// are the names that have codes of their own.
func (o *outcome) differs(want outcome, who ...string) string {
	if len(want.Rows) > 0 {
		for i := range want.Rows {
			if i >= len(o.Rows) {
				return fmt.Sprintf("%d rows, code %d", len(o.Rows), o.Code)
			}
			if text := o.Rows[i].differs(want.Rows[i], who...); text != "" {
				return fmt.Sprintf("row %d: %s", i, text)
			}
		}
		return ""
	}
	code := want.Code
	for _, name := range who {
		if own, ok := want.codes[name]; ok {
			code = own
		}
	}
	switch {
	case o.Code != code:
		return fmt.Sprintf("code %d, want %d", o.Code, code)
	case want.Gen != 0 && o.Gen != 0 && o.Gen != want.Gen:
		return fmt.Sprintf("generation %d, want %d", o.Gen, want.Gen)
	case want.TTL != "" && o.TTL != "" && !sameTTL(o.TTL, want.TTL):
		return fmt.Sprintf("ttl %s, want %s", o.TTL, want.TTL)
	case want.Count != nil && (o.Count == nil || *o.Count != *want.Count):
		return fmt.Sprintf("another number of records than %d", *want.Count)
	case want.Bins != nil && !maps.Equal(o.Bins, want.Bins):
		return fmt.Sprintf("bins %s, want %s", briefly(o.Bins), briefly(want.Bins))
	}
	return ""
}

// sameTTL reports whether two times to live are the same but for the seconds that a test may
// take between write and read.
func sameTTL(got, want string) bool {
	g, err1 := strconv.Atoi(got)
	w, err2 := strconv.Atoi(want)
	if err1 != nil || err2 != nil {
		return got == want
	}
	const slow = 60
	return g <= w && g > w-slow
}

func briefly(bins map[string]string) string { return fmt.Sprintf("%.300s", fmt.Sprint(bins)) }

// rawValue is a particle as it is.
type rawValue struct {
	kind  int
	bytes []byte
}

// geoValue is GeoJSON.
type geoValue string

// parseValue returns the value of a literal: nil, bool, int64, float64, string, []byte, []any,
// map[string]any, geoValue or rawValue.
func parseValue(text string) (any, error) {
	prefix, rest, _ := strings.Cut(text, ":")
	switch {
	case strings.HasPrefix(text, "0x"):
		return hex.DecodeString(text[2:])
	case prefix == "blob":
		n, err := strconv.Atoi(rest)
		return make([]byte, n), err
	case prefix == "geo":
		s, err := strconv.Unquote(rest)
		return geoValue(s), err
	case prefix == "raw":
		kind, digits, _ := strings.Cut(rest, ":")
		n, err := strconv.Atoi(kind)
		if err != nil {
			return nil, err
		}
		b, err := hex.DecodeString(digits)
		return rawValue{n, b}, err
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("value %q: %w", text, err)
	}
	return withNumbers(v)
}

// withNumbers replaces the numbers in v by integers and doubles.
func withNumbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return strconv.ParseInt(v.String(), 10, 64)
		}
		return v.Float64()
	case []any:
		for i := range v {
			if v[i], err = withNumbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = withNumbers(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// literal returns the literal of a value that a client read. Two values are the same if their
// literals are.
func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		if v == math.Trunc(v) {
			return strconv.FormatFloat(v, 'f', 1, 64)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []byte:
		if len(v) > 64 && len(strings.Trim(string(v), "\x00")) == 0 {
			return fmt.Sprintf("blob:%d", len(v))
		}
		return "0x" + hex.EncodeToString(v)
	case geoValue:
		return "geo:" + strconv.Quote(string(v))
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = literal(v[i])
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, literal(k)+":"+literal(v[k]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case map[any]any:
		parts := make([]string, 0, len(v))
		for k, e := range v {
			parts = append(parts, literal(k)+":"+literal(e))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case string:
		text, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	return fmt.Sprint(v)
}

// filterParts returns the parts of a filter as in a<5.
func filterParts(t testing.TB, filter string) (name, operator string, number int64) {
	t.Helper()
	for _, operator := range []string{"<=", ">=", "==", "!=", "<", ">"} {
		if name, rest, ok := strings.Cut(filter, operator); ok {
			n, err := strconv.ParseInt(rest, 10, 64)
			if err != nil {
				t.Fatalf("filter %s: %v", filter, err)
			}
			return name, operator, n
		}
	}
	t.Fatalf("filter %s", filter)
	return "", "", 0
}
