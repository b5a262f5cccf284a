package tests

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// words are what a query is made of: texts, names, numbers with their units, signs.
var words = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[a-zA-Z_:][\w:]*|[0-9.]+[a-z]*|=~|!~|!=|[<>=]=|\S`)

// Names in a query that are no metrics: operators, which bring labels, and functions,
// of which some need a range.
var (
	grouping  = strings.Fields("by on group_left")
	operators = strings.Fields("and or unless")
	ranged    = strings.Fields("rate increase")
	callable  = append(strings.Fields("sum min max topk histogram_quantile time vector"), ranged...)
)

// check returns what is wrong with a query in PromQL, as far as our queries go: names
// of metrics stand before braces, labels of theirs in these, or in the by before them.
func (f figures) check(query string) error {
	q := reading{figures: f, words: words.FindAllString(query, -1)}
	for q.next() {
		if err := q.word(); err != nil {
			return fmt.Errorf("%w in %s", err, query)
		}
	}
	switch {
	case len(q.open) > 0:
		return fmt.Errorf("%s is not closed in %s", q.open, query)
	case q.metrics == 0:
		return fmt.Errorf("no metric with its labels in braces in %s", query)
	case q.ranges != 0:
		return fmt.Errorf("a range too many, or too few, in %s", query)
	}
	return nil
}

// reading is a query that is being checked.
type reading struct {
	figures
	words    []string
	at       int // behind the word of the moment
	now      string
	open     string   // brackets
	metric   string   // the last one
	grouped  []string // labels that the next metric has to have
	grouping bool     // whether names are labels of a grouping
	metrics  int
	ranges   int // functions of ranges without one yet
}

func (q *reading) next() bool {
	if q.at == len(q.words) {
		return false
	}
	q.now = q.words[q.at]
	q.at++
	return true
}

// before reports whether the next word is this one.
func (q *reading) before(word string) bool { return q.at < len(q.words) && q.words[q.at] == word }

func (q *reading) word() error {
	switch first := q.now[0]; {
	case strings.ContainsRune("({[", rune(first)):
		q.open += q.now
		if first == '[' {
			q.ranges--
		}
	case strings.ContainsRune(")}]", rune(first)):
		if !strings.HasSuffix(q.open, map[byte]string{')': "(", '}': "{", ']': "["}[first]) {
			return fmt.Errorf("%s without its beginning", q.now)
		}
		q.open = q.open[:len(q.open)-1]
		q.grouping = false
	case first == '_' || first >= 'a' && first <= 'z' || first >= 'A' && first <= 'Z':
		return q.name()
	}
	return nil
}

func (q *reading) name() error {
	switch {
	case strings.HasSuffix(q.open, "{"):
		return q.has(q.metric, q.now)
	case q.grouping:
		q.grouped = append(q.grouped, q.now)
	case slices.Contains(grouping, q.now):
		q.grouping = true
	case slices.Contains(operators, q.now):
	case q.before("(") || q.before("by"):
		if !slices.Contains(callable, q.now) {
			return fmt.Errorf("unknown function %s", q.now)
		}
		if slices.Contains(ranged, q.now) {
			q.ranges++
		}
	default:
		return q.selector()
	}
	return nil
}

// selector checks a metric, and that it has the labels that it is grouped by.
func (q *reading) selector() error {
	if q.figures[q.now] == nil {
		return fmt.Errorf("unknown metric %s", q.now)
	}
	if !q.before("{") {
		return fmt.Errorf("%s without braces is that of all pipelines", q.now)
	}
	q.metric = q.now
	q.metrics++
	for _, label := range q.grouped {
		if err := q.has(q.metric, label); err != nil {
			return err
		}
	}
	q.grouped = nil
	return nil
}

func (q *reading) has(metric, label string) error {
	if !q.figures[metric][label] {
		return fmt.Errorf("unknown label %s of %s", label, metric)
	}
	return nil
}

func TestCheck(t *testing.T) {
	f := figures{"a_total": {"job": true, "code": true}, "b": {"job": true, "le": true}}
	for query, want := range map[string]string{
		`sum by (code) (rate(a_total{job="x"}[5m])) / on() group_left() sum(rate(a_total{job="x"}[5m])) > 0.1`: "",
		`histogram_quantile(0.9, sum by (le) (rate(b{job=~"x|(y"}[5m]))) - time() < 3`:                         "",
		`(sum(b{job="}"}) or vector(0)) < 3 unless sum by (job) (increase(a_total{code!="5"}[10m])) > 0`:       "",
		`sum(c{job="x"})`:                    "unknown metric c",
		`sum(a_total)`:                       "all pipelines",
		`sum(a_total{jobs="x"})`:             "unknown label jobs of a_total",
		`sum by (le) (a_total{job="x"})`:     "unknown label le of a_total",
		`sums(a_total{job="x"})`:             "unknown function sums",
		`sum(a_total{job="x"}`:               "( is not closed",
		`sum(a_total{job="x"}))`:             ") without its beginning",
		`sum(rate(a_total{job="x"}))`:        "a range too many, or too few",
		`sum(a_total{job="x"}[5m])`:          "a range too many, or too few",
		`time()`:                             "no metric",
		`sum by (code) (b{job="x"}) + sum()`: "unknown label code of b",
	} {
		err := f.check(query)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
}
