package tests

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tokens matches the tokens of a query: strings, names, numbers with units, operators.
var tokens = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[a-zA-Z_:][\w:]*|[0-9.]+[a-z]*|=~|!~|!=|[<>=]=|\S`)

// Names in a query that are not metrics. Labels follow those in grouping, and those in
// rangeFunctions need a range such as [5m].
var (
	grouping       = strings.Fields("by on group_left")
	operators      = strings.Fields("and or unless")
	rangeFunctions = strings.Fields("rate increase")
	functionNames  = append(strings.Fields("sum min max topk histogram_quantile time vector"), rangeFunctions...)
)

// check reports the first error in a PromQL query. It knows only the syntax that our queries
// use: metrics are followed by braces, and labels are in these or in the by before the metric.
func (f metricSet) check(query string) error {
	q := queryChecker{metricSet: f, tokens: tokens.FindAllString(query, -1)}
	for q.next() {
		if err := q.checkToken(); err != nil {
			return fmt.Errorf("%w in %s", err, query)
		}
	}
	switch {
	case len(q.open) > 0:
		return fmt.Errorf("%s is not closed in %s", q.open, query)
	case q.metrics == 0:
		return fmt.Errorf("no metric with labels in braces in %s", query)
	case q.ranges != 0:
		return fmt.Errorf("a range too many or too few in %s", query)
	}
	return nil
}

// queryChecker is the state of check.
type queryChecker struct {
	metricSet
	tokens   []string
	pos      int // index of the token after token
	token    string
	open     string   // the open brackets
	metric   string   // the last metric
	grouped  []string // labels that the next metric must have
	grouping bool     // whether names are labels of a by or on
	metrics  int
	ranges   int // range functions minus ranges
}

// next advances to the next token, and reports whether there is one.
func (q *queryChecker) next() bool {
	if q.pos == len(q.tokens) {
		return false
	}
	q.token = q.tokens[q.pos]
	q.pos++
	return true
}

// nextIs reports whether the next token is text.
func (q *queryChecker) nextIs(text string) bool {
	return q.pos < len(q.tokens) && q.tokens[q.pos] == text
}

func (q *queryChecker) checkToken() error {
	switch first := q.token[0]; {
	case strings.ContainsRune("({[", rune(first)):
		q.open += q.token
		if first == '[' {
			q.ranges--
		}
	case strings.ContainsRune(")}]", rune(first)):
		if !strings.HasSuffix(q.open, map[byte]string{')': "(", '}': "{", ']': "["}[first]) {
			return fmt.Errorf("%s without an opening bracket", q.token)
		}
		q.open = q.open[:len(q.open)-1]
		q.grouping = false
	case first == '_' || first >= 'a' && first <= 'z' || first >= 'A' && first <= 'Z':
		return q.checkName()
	}
	return nil
}

func (q *queryChecker) checkName() error {
	switch {
	case strings.HasSuffix(q.open, "{"):
		return q.checkLabel(q.metric, q.token)
	case q.grouping:
		q.grouped = append(q.grouped, q.token)
	case slices.Contains(grouping, q.token):
		q.grouping = true
	case slices.Contains(operators, q.token):
	case q.nextIs("(") || q.nextIs("by"):
		if !slices.Contains(functionNames, q.token) {
			return fmt.Errorf("unknown function %s", q.token)
		}
		if slices.Contains(rangeFunctions, q.token) {
			q.ranges++
		}
	default:
		return q.checkMetric()
	}
	return nil
}

// checkMetric checks that a metric exists and has the labels that it is grouped by.
func (q *queryChecker) checkMetric() error {
	if q.metricSet[q.token] == nil {
		return fmt.Errorf("unknown metric %s", q.token)
	}
	if !q.nextIs("{") {
		return fmt.Errorf("%s without braces selects all pipelines", q.token)
	}
	q.metric = q.token
	q.metrics++
	for _, label := range q.grouped {
		if err := q.checkLabel(q.metric, label); err != nil {
			return err
		}
	}
	q.grouped = nil
	return nil
}

func (q *queryChecker) checkLabel(metric, label string) error {
	if !q.metricSet[metric][label] {
		return fmt.Errorf("unknown label %s of %s", label, metric)
	}
	return nil
}

func TestMetricSet_check(t *testing.T) {
	f := metricSet{"a_total": {"job": true, "code": true}, "b": {"job": true, "le": true}}
	for query, want := range map[string]string{
		`sum by (code) (rate(a_total{job="x"}[5m])) / on() group_left() sum(rate(a_total{job="x"}[5m])) > 0.1`: "",
		`histogram_quantile(0.9, sum by (le) (rate(b{job=~"x|(y"}[5m]))) - time() < 3`:                         "",
		`(sum(b{job="}"}) or vector(0)) < 3 unless sum by (job) (increase(a_total{code!="5"}[10m])) > 0`:       "",
		`sum(c{job="x"})`:                    "unknown metric c",
		`sum(a_total)`:                       "selects all pipelines",
		`sum(a_total{jobs="x"})`:             "unknown label jobs of a_total",
		`sum by (le) (a_total{job="x"})`:     "unknown label le of a_total",
		`sums(a_total{job="x"})`:             "unknown function sums",
		`sum(a_total{job="x"}`:               "( is not closed",
		`sum(a_total{job="x"}))`:             ") without an opening bracket",
		`sum(rate(a_total{job="x"}))`:        "a range too many or too few",
		`sum(a_total{job="x"}[5m])`:          "a range too many or too few",
		`time()`:                             "no metric",
		`sum by (code) (b{job="x"}) + sum()`: "unknown label code of b",
	} {
		err := f.check(query)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
}
