package aerospike

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/tlsfile"
	"github.com/aerosink/aerosink/function/sink"
)

// Cluster says where a cluster is, how to log in to it, and which namespace and set of it
// a URL names: aerospike://HOST:PORT[,HOST:PORT]/NAMESPACE[/SET].
type Cluster struct {
	Hosts     []*as.Host // one is enough; the client finds the other nodes
	Namespace string
	Set       string // "" if the URL names none

	// Connections bounds the connections to each node. One more is used to watch it.
	Connections int

	// Timeout bounds connecting, and one command with its retries.
	Timeout time.Duration

	auth         as.AuthMode
	user         string
	passwordFile string
	alternate    bool   // nodes are reached by their alternate addresses
	name         string // that the cluster must have; "" is any
	tls          bool
	tlsSource    tlsfile.Source
}

const (
	defaultPort        = 3000
	defaultTLSPort     = 4333
	defaultConnections = 32
	mostConnections    = 1000
	maxPasswordFile    = 4096 // bytes
	maxNamespace       = 31   // bytes
	maxSet             = 63   // bytes
)

// ParseCluster reads the URL of a cluster, and those of the query's parameters that say how
// to reach it: tls, tls-name, ca-file, cert-file, key-file, user, password-file, auth,
// services, cluster-name and connections. Errors go to q.
func ParseCluster(u *url.URL, q *sink.Query, timeout time.Duration) Cluster {
	c := Cluster{Timeout: timeout}
	c.tls = q.Word("tls", "off", "off", "on") == "on"
	tlsName := q.Text("tls-name", "")
	c.tlsSource = tlsfile.Source{CAFile: q.Text("ca-file", ""), CertFile: q.Text("cert-file", ""), KeyFile: q.Text("key-file", "")}
	c.auth = map[string]as.AuthMode{"internal": as.AuthModeInternal, "external": as.AuthModeExternal, "pki": as.AuthModePKI}[q.Word("auth", "internal", "internal", "external", "pki")]
	c.user, c.passwordFile = q.Text("user", ""), q.Text("password-file", "")
	c.alternate = q.Word("services", "standard", "standard", "alternate") == "alternate"
	c.name = q.Text("cluster-name", "")
	c.Connections = q.Integer("connections", defaultConnections, 1, mostConnections)
	switch s := c.tlsSource; {
	case !c.tls && (tlsName != "" || s.CAFile != "" || s.CertFile != "" || s.KeyFile != ""):
		q.Fail("tls-name, ca-file, cert-file and key-file are for TLS; add tls=on")
	case (s.CertFile == "") != (s.KeyFile == ""):
		q.Fail("cert-file and key-file belong together; set both")
	case c.auth == as.AuthModePKI && (c.user != "" || c.passwordFile != ""):
		q.Fail("with auth=pki the certificate is the user; leave out user and password-file")
	case c.auth == as.AuthModePKI && s.CertFile == "":
		q.Fail("auth=pki needs tls=on, cert-file and key-file")
	case c.auth == as.AuthModeExternal && !c.tls:
		q.Fail("auth=external sends the password as it is, so it needs tls=on")
	case (c.user == "") != (c.passwordFile == ""):
		q.Fail("user and password-file belong together; set both")
	}
	c.parseHosts(u.Host, tlsName, q)
	c.parsePath(u.Path, q)
	return c
}

// parseHosts reads HOST[:PORT][,HOST[:PORT]]; an IPv6 address is in brackets.
func (c *Cluster) parseHosts(authority, tlsName string, q *sink.Query) {
	port := defaultPort
	if c.tls {
		port = defaultTLSPort
	}
	for text := range strings.SplitSeq(authority, ",") {
		host, ok := parseHost(strings.TrimSpace(text), port)
		if !ok {
			q.Fail("invalid host %q: want HOST or HOST:PORT, and [ADDRESS]:PORT for an IPv6 address", text)
			return
		}
		if host.TLSName = tlsName; c.tls && tlsName == "" && net.ParseIP(host.Name) == nil {
			host.TLSName = host.Name
		}
		c.Hosts = append(c.Hosts, host)
	}
}

func parseHost(text string, port int) (*as.Host, bool) {
	name, digits, err := net.SplitHostPort(text)
	if err != nil {
		name, digits = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), strconv.Itoa(port)
		if bracketed := strings.HasPrefix(text, "["); bracketed != strings.Contains(name, ":") || bracketed != strings.HasSuffix(text, "]") {
			return nil, false
		}
	}
	number, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || number == 0 || name == "" || strings.ContainsAny(name, "@[]/ ") || strings.Contains(name, ":") && net.ParseIP(name) == nil {
		return nil, false
	}
	return as.NewHost(name, int(number)), true
}

// parsePath reads /NAMESPACE[/SET].
func (c *Cluster) parsePath(path string, q *sink.Query) {
	c.Namespace, c.Set, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case c.Namespace == "" || strings.Contains(c.Set, "/"):
		q.Fail("want aerospike://HOST:PORT/NAMESPACE or aerospike://HOST:PORT/NAMESPACE/SET")
	case len(c.Namespace) > maxNamespace:
		q.Fail("namespace %s has %d bytes, and Aerospike takes %d", c.Namespace, len(c.Namespace), maxNamespace)
	case len(c.Set) > maxSet:
		q.Fail("set %s has %d bytes, and Aerospike takes %d", c.Set, len(c.Set), maxSet)
	}
}

// Address returns the hosts, for errors.
func (c *Cluster) Address() string {
	var hosts []string
	for _, h := range c.Hosts {
		hosts = append(hosts, h.String())
	}
	return strings.Join(hosts, ",")
}

// policy returns the policy of the client.
func (c *Cluster) policy() (*as.ClientPolicy, error) {
	p := as.NewClientPolicy()
	p.ConnectionQueueSize = c.Connections
	p.AuthMode, p.User = c.auth, c.user
	p.ClusterName = c.name
	p.UseServicesAlternate = c.alternate
	if c.passwordFile != "" {
		password, err := readPassword(c.passwordFile)
		if err != nil {
			return nil, err
		}
		p.Password = password
	}
	if !c.tls {
		return p, nil
	}
	files, err := tlsfile.Open(c.tlsSource)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, h := range c.Hosts {
		names = append(names, h.Name)
	}
	p.TlsConfig = files.Client(names)
	return p, nil
}

// readPassword returns the content of a file without the end of its last line.
func readPassword(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimRight(string(content), "\r\n")
	if password == "" || len(content) > maxPasswordFile {
		return "", fmt.Errorf("read the password: %s has %d bytes; want one line of at most %d", path, len(content), maxPasswordFile)
	}
	return password, nil
}

// key returns the key of a record in the namespace. The user key is nil if there is none.
func (c *Cluster) key(set string, d change.Digest, userKey any) *as.Key {
	k, err := as.NewKeyWithDigest(c.Namespace, set, userKey, d[:])
	if err != nil {
		panic(err) // a digest has the right length, and keys are of kinds that the client takes
	}
	return k
}
