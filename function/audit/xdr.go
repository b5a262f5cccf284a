package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink/aerospike"
)

// dataCentre is a destination of XDR that is a connector and is shipped the namespace.
type dataCentre struct {
	name  string
	nodes []*as.Node      // that ship to it
	lag   []time.Duration // of each node, since the last update of the oldest record that is not shipped
}

// dataCentres asks every node for its destinations. Community Edition has none.
func (d *database) dataCentres(ctx context.Context) ([]dataCentre, error) {
	var all []dataCentre
	for _, node := range d.client.GetNodes() {
		config, err := d.info(ctx, node, "get-config:context=xdr")
		switch {
		case errors.Is(err, errNotAllowed):
			return nil, err
		case errors.Is(err, errInfo):
			continue // it has no XDR
		case err != nil:
			return nil, err
		}
		for _, name := range words(config["dcs"]) {
			lag, ships, err := d.lag(ctx, node, name)
			if err != nil {
				return nil, err
			}
			if !ships {
				continue
			}
			at := slices.IndexFunc(all, func(dc dataCentre) bool { return dc.name == name })
			if at < 0 {
				at = len(all)
				all = append(all, dataCentre{name: name})
			}
			all[at].nodes, all[at].lag = append(all[at].nodes, node), append(all[at].lag, lag)
		}
	}
	slices.SortFunc(all, func(a, b dataCentre) int { return cmp.Compare(a.name, b.name) })
	return all, nil
}

// lag returns how far a node is behind in shipping the namespace to a destination, and
// whether it ships it there and the destination is a connector.
func (d *database) lag(ctx context.Context, node *as.Node, dc string) (_ time.Duration, ships bool, err error) {
	config, err := d.info(ctx, node, "get-config:context=xdr;dc="+dc)
	if err != nil || config["connector"] != "true" || !slices.Contains(words(config["namespaces"]), d.namespace) {
		return 0, false, err
	}
	stats, err := d.info(ctx, node, "get-stats:context=xdr;dc="+dc+";namespace="+d.namespace)
	if err != nil {
		return 0, false, err
	}
	seconds, err := strconv.ParseInt(stats["lag"], 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("%s: the lag of data centre %s is %q: %w", node.GetHost(), dc, stats["lag"], err)
	}
	return time.Duration(seconds) * time.Second, true, nil
}

// noteLag prints which data centres are so far behind that the archive cannot have what it is
// compared with.
func (d *database) noteLag(ctx context.Context, margin time.Duration, printf func(line string, args ...any)) {
	all, err := d.dataCentres(ctx)
	if err != nil {
		printf("cannot find out how far XDR is behind: %v", err)
		return
	}
	for _, dc := range all {
		if lag := slices.Max(dc.lag); lag > margin {
			printf("XDR is %s behind in shipping to %s, more than the margin; what it has not shipped will be found missing or stale", lag, dc.name)
		}
	}
}

// words returns the words of a list with commas in between.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// errInfo is the error of an info command that a node refuses, and errNotAllowed that of one
// that the user may not give.
var (
	errInfo       = errors.New("the node refuses the command")
	errNotAllowed = errors.New("the user may not give the command; grant it the privileges of a sys-admin")
)

// info returns the pairs in the answer of a node to a command.
func (d *database) info(ctx context.Context, node *as.Node, command string) (map[string]string, error) {
	answer, err := d.client.Info(ctx, node, command)
	if err != nil {
		return nil, err
	}
	switch {
	case aerospike.IsInfoError(answer) && strings.Contains(strings.ToLower(answer), "role violation"):
		return nil, fmt.Errorf("%s: %s: %w: %s", node.GetHost(), command, errNotAllowed, answer)
	case aerospike.IsInfoError(answer):
		return nil, fmt.Errorf("%s: %s: %w: %s", node.GetHost(), command, errInfo, answer)
	}
	pairs := map[string]string{}
	for pair := range strings.SplitSeq(answer, ";") {
		key, value, _ := strings.Cut(pair, "=")
		pairs[key] = value
	}
	return pairs, nil
}

// Rewind is the command that makes a node ship the records to a data centre again that
// changed in the last seconds.
type Rewind struct {
	DC      string   `json:"dc"`
	Command string   `json:"command"` // an info command, the same for each node
	Nodes   []string `json:"nodes"`   // HOST:PORT
}

// PlanRewind returns the commands, for every connector that the namespace is shipped to, that
// ship again what changed since a time. They are good for as long as valid says. If perform is
// true they are carried out, node by node, until one fails; the result then has those before.
func PlanRewind(ctx context.Context, against aerospike.Cluster, since time.Time, valid time.Duration, perform bool) ([]Rewind, error) {
	d := &database{namespace: against.Namespace, timeout: against.Timeout}
	var err error
	if d.client, err = against.Dial(ctx); err != nil {
		return nil, err
	}
	defer d.client.Close()
	all, err := d.dataCentres(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the data centres of XDR: %w", err)
	}
	if len(all) == 0 {
		return nil, change.Permanent(fmt.Errorf("the database ships the namespace %q to no connector, so nothing can be rewound; see get-config:context=xdr", d.namespace))
	}
	var rewinds []Rewind
	seconds := int64((time.Since(since) + valid + time.Second - 1) / time.Second)
	for _, dc := range all {
		r := Rewind{DC: dc.name, Command: fmt.Sprintf("set-config:context=xdr;dc=%s;namespace=%s;action=add;rewind=%d", dc.name, d.namespace, seconds)}
		for _, node := range dc.nodes {
			if perform {
				err = d.configure(ctx, node, r.Command)
			}
			if err != nil {
				break
			}
			r.Nodes = append(r.Nodes, node.GetHost().String())
		}
		if len(r.Nodes) > 0 {
			rewinds = append(rewinds, r)
		}
		if err != nil {
			return rewinds, fmt.Errorf("rewind: %w", err)
		}
	}
	return rewinds, nil
}

// configure has a node carry out a command that changes its configuration.
func (d *database) configure(ctx context.Context, node *as.Node, command string) error {
	pairs, err := d.info(ctx, node, command)
	if _, ok := pairs["ok"]; err == nil && !ok {
		return fmt.Errorf("%s: %s: the answer is not ok", node.GetHost(), command)
	}
	return err
}
