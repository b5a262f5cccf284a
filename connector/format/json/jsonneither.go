package json

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What the error for an object without metadata says of its names. They are schema,
// not data; still it says no more than helps.
const (
	mostNames = 8
	cutName   = 32 // bytes
)

// neither is the fault of an object that is neither JSON nor flat JSON. It names the
// members that hold objects: the metadata may be one of them.
func (r *jsonReader) neither() error {
	var names []string
	hint := ";"
	for members := into(r.object); len(names) < mostNames; {
		name, value, ok := members.member()
		if !ok {
			break
		}
		if value[0] != '{' {
			continue
		}
		text := string(unquote(name))
		if quoted := strconv.Quote(text); hint == ";" && len(text) <= cutName && quoted == `"`+text+`"` && isMetadata(value) {
			hint = fmt.Sprintf("; did you mean METADATA_KEY=%s?", text)
		}
		names = append(names, strconv.Quote(shortened(text)))
	}
	seen := ""
	if len(names) > 0 {
		seen = hint + " members with objects: " + strings.Join(names, ", ")
	}
	return r.fault(r.object, `neither JSON, for it has no member "key", nor flat JSON, for it has no object %q%s`, r.metadataKey, seen)
}

// isMetadata reports whether an object looks like the metadata of flat JSON.
func isMetadata(object []byte) bool {
	found := 0
	for members := into(object); ; {
		name, _, ok := members.member()
		if !ok {
			return found == 2
		}
		if is(name, "namespace") || is(name, "digest") {
			found++
		}
	}
}

// shortened returns a name, cut where it is long.
func shortened(name string) string {
	if len(name) <= cutName {
		return name
	}
	end := cutName
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}
