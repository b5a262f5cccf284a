package payload

import (
	"strconv"

	"github.com/aerosink/aerosink/connector/change"
)

// Summary is what changes share that are packed into one message. The zero Summary is that of
// none.
type Summary struct {
	Changes           int
	Namespace, Set    string // "" unless all changes have the same
	FirstLUT, LastLUT int64  // Unix milliseconds; 0 if none is known
}

// Add adds a change.
func (s *Summary) Add(c *change.Change) {
	if s.Changes == 0 {
		s.Namespace, s.Set = c.Namespace, c.Set
	}
	s.Changes++
	if c.Namespace != s.Namespace {
		s.Namespace, s.Set = "", ""
	}
	if c.Set != s.Set {
		s.Set = ""
	}
	if c.LUT > 0 && (s.FirstLUT == 0 || c.LUT < s.FirstLUT) {
		s.FirstLUT = c.LUT
	}
	s.LastLUT = max(s.LastLUT, c.LUT)
}

// Encoding returns the value of the attribute encoding of a packed message: its compression,
// "" if the message says itself how it is compressed, or is not.
func (c *Config) Encoding() string {
	if c.Packed == "avro" || c.Compression == "none" { // a container file names its codec itself
		return ""
	}
	return c.Compression
}

// AppendSummary appends s as attributes of a packed message: format, encoding, changes,
// namespace, set, lut-min and lut-max, as far as they are known.
func (c *Config) AppendSummary(dst []Attribute, s *Summary) []Attribute {
	dst = append(dst, Attribute{Name: "format", Value: c.Packed})
	if encoding := c.Encoding(); encoding != "" {
		dst = append(dst, Attribute{Name: "encoding", Value: encoding})
	}
	dst = append(dst, Attribute{"changes", strconv.Itoa(s.Changes), true})
	if s.Namespace != "" {
		dst = append(dst, Attribute{Name: "namespace", Value: s.Namespace})
	}
	if s.Set != "" {
		dst = append(dst, Attribute{Name: "set", Value: s.Set})
	}
	if s.LastLUT > 0 {
		dst = append(dst, Attribute{"lut-min", strconv.FormatInt(s.FirstLUT, 10), true}, Attribute{"lut-max", strconv.FormatInt(s.LastLUT, 10), true})
	}
	return dst
}
