package aerospike

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// checkLoop returns an error if XDR ships the namespace to a connector. What a sink writes
// would come back to it then, without end.
func (c *Client) checkLoop(ctx context.Context, namespace string) error {
	for _, node := range c.GetNodes() {
		answer, err := c.Info(ctx, node, "get-config:context=xdr")
		if err != nil {
			return err
		}
		if strings.Contains(strings.ToLower(answer), "role violation") {
			return fmt.Errorf("ask %s whether XDR ships namespace %s: %s; grant the user the privilege to read the configuration, or set loop=allow", node.GetHost(), namespace, answer)
		}
		if IsInfoError(answer) {
			continue // it has no XDR
		}
		for _, dc := range list(settings(answer)["dcs"]) {
			answer, err := c.Info(ctx, node, "get-config:context=xdr;dc="+dc)
			if err != nil {
				return err
			}
			if s := settings(answer); s["connector"] == "true" && slices.Contains(list(s["namespaces"]), namespace) {
				return fmt.Errorf("the cluster's XDR ships namespace %s to the connector at %s (DC %s), so what this sink writes would be shipped again, in a loop if it comes back here; "+
					"store in another namespace, or set loop=allow if the changes go elsewhere", namespace, s["node-address-port"], dc)
			}
		}
	}
	return nil
}

// settings returns the pairs of key=value;key=value.
func settings(answer string) map[string]string {
	pairs := map[string]string{}
	for pair := range strings.SplitSeq(answer, ";") {
		key, value, _ := strings.Cut(pair, "=")
		pairs[key] = value
	}
	return pairs
}

// list returns the elements of a,b, none of "" and of null.
func list(text string) []string {
	if text == "" || text == "null" {
		return nil
	}
	return strings.Split(text, ",")
}
