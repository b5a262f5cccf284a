package tests

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// block is a fenced code block of a document.
type block struct {
	marker   string // the comment right before it, without its dashes
	language string
	text     string
	line     int
}

// needs are the markers of blocks that the test does not run, because it lacks something
// or because the block is run elsewhere.
var needs = []string{"needs: gcloud", "needs: aws", "needs: zip", "needs: a quiet machine", "needs: a maintainer", "needs: twenty minutes", "run by: .ci/run"}

// running is set in the environment of commands, so that none of them runs this test again.
const running = "DOCUMENTS_RUNNING"

const (
	keepsRunning = "keeps running"                            // the last command is a server
	serverOutput = "output of the process that keeps running" // what that server prints later
)

// documents returns the paths of all Markdown files except the runbooks for Google Cloud, which
// are templates.
func documents(t *testing.T) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"../*.md", "../*/*.md", "../testdata/*/*.md", "../terraform/aws/*.md", "../terraform/aws/runbooks/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	return paths
}

// blocks returns the fenced blocks of a document. It fails for code without a fence,
// which would be neither run nor marked.
func blocks(t *testing.T, path, text string) (found []block) {
	t.Helper()
	var b *block
	marker, blank := "", true
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			if b == nil {
				b = &block{marker: marker, language: line[3:], line: i + 1}
			} else {
				found, b = append(found, *b), nil
			}
			marker = ""
		case b != nil:
			b.text += line + "\n"
		case strings.HasPrefix(line, "<!--"):
			marker = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(line, "<!--"), "-->"))
		case line != "":
			marker = ""
			if blank && strings.HasPrefix(line, "    ") {
				t.Errorf("%s:%d: code without a fence; put it between ``` with a language", path, i+1)
			}
		}
		blank = line == ""
	}
	if b != nil {
		t.Errorf("%s:%d: the block does not end", path, b.line)
	}
	return found
}

// TestDocuments_blocks requires every block of commands to be run by
// TestDocuments_commands or to have a marker that says what it needs.
func TestDocuments_blocks(t *testing.T) {
	languages := []string{"console", "sh", "yaml", "json", "sql", "hcl", "text", "go", "js"}
	for _, path := range documents(t) {
		for _, b := range blocks(t, path, read(t, path)) {
			file, isPart := strings.CutPrefix(b.marker, "part of: ")
			switch {
			case isPart:
				checkPart(t, path, b, file)
			case b.language == "go" || b.language == "js":
				t.Errorf("%s:%d: name the file that has this code, which a test runs: <!-- part of: FILE -->", path, b.line)
			case !slices.Contains(languages, b.language):
				t.Errorf("%s:%d: language %q; known are %s", path, b.line, b.language, strings.Join(languages, ", "))
			case strings.HasPrefix(b.marker, "file: "), b.marker == "", b.marker == keepsRunning, b.marker == serverOutput:
			case !slices.Contains(needs, b.marker):
				t.Errorf("%s:%d: marker %q; known are %s", path, b.line, b.marker, strings.Join(needs, ", "))
			}
			if b.language == "sh" || b.language == "console" && b.marker != serverOutput {
				if out, err := exec.Command("bash", "-n", "-c", strings.Join(commandsOf(b), "\n")).CombinedOutput(); err != nil {
					t.Errorf("%s:%d: %v: %s", path, b.line, err, out)
				}
			}
		}
	}
}

// checkPart requires the lines of a block, without their comments, to be in a file, in that
// order.
func checkPart(t *testing.T, path string, b block, file string) {
	t.Helper()
	rest := read(t, "../"+file)
	for line := range strings.Lines(b.text) {
		code, _, _ := strings.Cut(line, " // ")
		_, after, ok := strings.Cut(rest, strings.TrimSpace(code))
		if !ok {
			t.Errorf("%s:%d: %s does not have the line %s", path, b.line, file, line)
		}
		rest = after
	}
}

// step is a command with the output that the document shows for it.
type step struct {
	command, output string
}

// steps returns the commands of a block. In a console block they begin with "$ ", and
// continue on the next line after a pipe, a backslash or an open quote.
func steps(b block) (all []step) {
	if b.language == "sh" {
		return []step{{command: b.text}}
	}
	lines := strings.SplitAfter(b.text, "\n")
	for i := 0; i < len(lines); i++ {
		if !strings.HasPrefix(lines[i], "$ ") {
			if len(all) > 0 {
				all[len(all)-1].output += lines[i]
			}
			continue
		}
		command := lines[i][2:]
		for open(command) && i+1 < len(lines) {
			i++
			command += lines[i]
		}
		all = append(all, step{command: command})
	}
	return all
}

// open reports whether a command continues on the next line.
func open(command string) bool {
	c := strings.TrimSpace(command)
	return strings.HasSuffix(c, "|") || strings.HasSuffix(c, `\`) || strings.Count(c, "'")%2 == 1
}

func commandsOf(b block) (commands []string) {
	for _, s := range steps(b) {
		commands = append(commands, s.command)
	}
	return commands
}

// TestDocuments_commands runs the commands of every document at the top of a copy of
// the clone, and compares what they print. "…" in a document stands for any text, and on
// a line of its own for any lines.
func TestDocuments_commands(t *testing.T) {
	if os.Getenv(running) != "" {
		t.Skip("a command of a document runs this test")
	}
	for _, program := range []string{"bash", "curl", "xxd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	dir := copyClone(t)
	for _, path := range documents(t) {
		var run []block
		for _, b := range blocks(t, path, read(t, path)) {
			if strings.HasPrefix(b.marker, "file: ") || (b.language == "console" || b.language == "sh") && !slices.Contains(needs, b.marker) {
				run = append(run, b)
			}
		}
		if len(run) == 0 {
			continue
		}
		t.Run(strings.TrimPrefix(path, "../"), func(t *testing.T) {
			newTerminal(t, dir).play(run)
		})
	}
}

// terminal runs the commands of a document in dir, and replaces the document's ports by
// free ones.
type terminal struct {
	t      *testing.T
	dir    string
	ports  []string // pairs of the document's port and the free one
	server *output
	expect string // what the server is still to print
}

func newTerminal(t *testing.T, dir string) *terminal {
	term := &terminal{t: t, dir: dir}
	for _, port := range []string{"3000", "8080", "8081", "8901", "8902"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		term.ports = append(term.ports, port, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
		_ = l.Close()
	}
	return term
}

// copyClone copies what the commands need of the clone to a new folder, so that they do
// not write to the clone.
func copyClone(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"connector", "function", "testdata", "terraform", "go.mod", "go.sum", "entry.go"} {
		from := filepath.Join("..", name)
		info, err := os.Stat(from)
		if err == nil && info.IsDir() {
			err = os.CopyFS(filepath.Join(dir, name), os.DirFS(from))
		} else if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), []byte(read(t, from)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// Without a terminal curl would print its progress.
	if err := os.WriteFile(filepath.Join(dir, ".curlrc"), []byte("silent\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (term *terminal) play(run []block) {
	t := term.t
	for _, b := range run {
		if file, ok := strings.CutPrefix(b.marker, "file: "); ok {
			if err := os.WriteFile(filepath.Join(term.dir, file), []byte(term.withRealPorts(b.text)), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if b.marker == serverOutput {
			term.expect += b.text
			continue
		}
		all := steps(b)
		if len(all) == 0 {
			t.Errorf("line %d: a console without a command; begin it with \"$ \"", b.line)
		}
		for i, s := range all {
			if b.marker == keepsRunning && i == len(all)-1 {
				term.start(b, s)
				continue
			}
			out, err := term.bash(s.command).CombinedOutput()
			if len(s.output) == 0 && err != nil && b.language == "sh" || !matches(s.output, term.withDocumentPorts(string(out))) && b.language != "sh" {
				t.Errorf("line %d: %s\nprinted (%v)\n%s\nwant\n%s", b.line, s.command, err, term.withDocumentPorts(string(out)), s.output)
			}
		}
	}
	term.stop()
}

// start starts a server, and waits until it has printed the first line that the document
// shows.
func (term *terminal) start(b block, s step) {
	term.stop()
	server := term.bash("exec " + execCommand(s.command))
	server.Env = append(server.Env, "PORT="+term.port("8080"))
	out := &output{}
	server.Stdout, server.Stderr = out, out
	if err := server.Start(); err != nil {
		term.t.Fatal(err)
	}
	term.server, term.expect = out, s.output
	out.stop = func() {
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGTERM)
		_ = server.Wait()
	}
	term.t.Cleanup(out.stop)
	first, _, _ := strings.Cut(s.output, "\n")
	if !eventually(func() bool {
		_, lines := out.read()
		return slices.ContainsFunc(lines, func(l string) bool { return matches(first+"\n", term.withDocumentPorts(l)+"\n") })
	}) {
		text, _ := out.read()
		term.t.Fatalf("line %d: %s\nprinted\n%s\nwant\n%s", b.line, s.command, text, s.output)
	}
}

// stop stops the server after it has printed what the document shows.
func (term *terminal) stop() {
	if term.server == nil {
		return
	}
	want := strings.Split(strings.TrimSuffix(term.expect, "\n"), "\n")
	missing := func() []string {
		_, lines := term.server.read()
		return slices.DeleteFunc(slices.Clone(want), func(w string) bool {
			return slices.ContainsFunc(lines, func(l string) bool { return matches(w+"\n", term.withDocumentPorts(l)+"\n") })
		})
	}
	if !eventually(func() bool { return len(missing()) == 0 }) {
		text, _ := term.server.read()
		term.t.Errorf("the server did not print\n%s\nit printed\n%s", strings.Join(missing(), "\n"), text)
	}
	term.server.stop()
	term.server = nil
}

func (term *terminal) bash(command string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(term.t.Context(), 3*time.Minute)
	term.t.Cleanup(cancel)
	c := exec.CommandContext(ctx, "bash", "-c", term.withRealPorts(command))
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.Dir = term.dir
	c.Env = append(os.Environ(), running+"=1", "CURL_HOME="+term.dir)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.WaitDelay = 5 * time.Second
	return c
}

var assignments = regexp.MustCompile(`^((?:[A-Z_]+=\S+ )*)(.*)`)

// execCommand rewrites a command for exec, which allows no assignments before it.
func execCommand(command string) string {
	m := assignments.FindStringSubmatch(strings.TrimSpace(command))
	return "env " + m[1] + m[2]
}

// withRealPorts replaces the document's ports in text by the free ones. The local pipeline is
// told of the node's, which the document leaves to the default.
func (term *terminal) withRealPorts(text string) string {
	text = strings.ReplaceAll(text, "./function/cmd/local", "./function/cmd/local -node 127.0.0.1:3000")
	return replaceNumbers(text, term.ports)
}

// port returns the free port that stands for a port of the document.
func (term *terminal) port(documents string) string {
	return term.ports[slices.Index(term.ports, documents)+1]
}

// withDocumentPorts replaces the free ports in text by the document's.
func (term *terminal) withDocumentPorts(text string) string {
	reversed := slices.Clone(term.ports)
	slices.Reverse(reversed)
	return replaceNumbers(text, reversed)
}

var number = regexp.MustCompile(`\d+`)

// replaceNumbers replaces numbers in text, but not parts of longer ones such as times.
func replaceNumbers(text string, pairs []string) string {
	return number.ReplaceAllStringFunc(text, func(n string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == n {
				return pairs[i+1]
			}
		}
		return n
	})
}

// objectCount matches the number of objects in the archive, which depends on timing: slow
// requests lead to more objects.
var objectCount = regexp.MustCompile(`\b\d+ objects\b`)

// matches reports whether got is the output want, in which … stands for any text. An empty
// want matches everything.
func matches(want, got string) bool {
	if want == "" {
		return true
	}
	want, got = objectCount.ReplaceAllString(want, "N objects"), objectCount.ReplaceAllString(got, "N objects")
	var expression strings.Builder
	expression.WriteString(`\A`)
	for _, line := range strings.SplitAfter(strings.TrimSuffix(want, "\n"), "\n") {
		if strings.TrimSuffix(line, "\n") == "…" {
			expression.WriteString(`(?:.*\n)*`)
			continue
		}
		expression.WriteString(strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSuffix(line, "\n")), "…", ".*") + `\n`)
	}
	expression.WriteString(`\z`)
	if !strings.HasSuffix(got, "\n") {
		got += "\n"
	}
	return regexp.MustCompile(expression.String()).MatchString(got)
}

func eventually(done func() bool) bool {
	for deadline := time.Now().Add(150 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return done()
}

// output is what a process has printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	stop func()
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) read() (text string, lines []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := bufio.NewScanner(strings.NewReader(o.text.String()))
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	return o.text.String(), lines
}

// TestDocuments_paths requires the files and folders that documents name to exist.
func TestDocuments_paths(t *testing.T) {
	mention := regexp.MustCompile("`((?:connector|function|terraform|testdata|\\.ci)/[\\w./*-]+)")
	for _, path := range documents(t) {
		for _, m := range mention.FindAllStringSubmatch(read(t, path), -1) {
			if found, err := filepath.Glob(filepath.Join("..", m[1])); err != nil || len(found) == 0 && !slices.Contains(userFiles, m[1]) {
				t.Errorf("%s names %s, which does not exist", path, m[1])
			}
		}
	}
}

// userFiles are files that users create.
var userFiles = []string{"terraform/terraform.tfstate", "terraform/terraform.tfvars", "terraform/aws/terraform.tfvars", "terraform/backend.tf"}

// TestDocuments_conflicts finds the marks that an unfinished merge leaves.
func TestDocuments_conflicts(t *testing.T) {
	mark := regexp.MustCompile(`(?m)^(<<<<<<<|>>>>>>>|=======$).*`)
	for _, path := range documents(t) {
		if m := mark.FindString(read(t, path)); m != "" {
			t.Errorf("%s has %q", path, m)
		}
	}
}

// TestDocuments_links follows every link between documents, also to a heading.
func TestDocuments_links(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, path := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, path), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := filepath.Join(filepath.Dir(path), target)
			if target == "" {
				file = path
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Errorf("%s: link to %s: %v", path, m[1], err)
				continue
			}
			if anchor != "" && (info.IsDir() || !slices.Contains(anchors(read(t, file)), anchor)) {
				t.Errorf("%s: link to %s: no such heading", path, m[1])
			}
		}
	}
}

var (
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns the anchors that GitHub makes of a document's headings.
func anchors(text string) (all []string) {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

// TestDocuments_badges requires the README's badges to say what the files they link to say.
// They are files of the repository, so they need no network.
func TestDocuments_badges(t *testing.T) {
	badges := regexp.MustCompile(`\[!\[(\S+) (\S+)\]\((\S+\.svg)\)\]\((\S+)\)`).FindAllStringSubmatch(read(t, "../README.md"), -1)
	if len(badges) != 2 {
		t.Fatalf("%d badges, want those of Go and of the license", len(badges))
	}
	for _, b := range badges {
		label, value, image, source := b[1], b[2], read(t, filepath.Join("..", b[3])), read(t, filepath.Join("..", b[4]))
		if !strings.Contains(image, "<title>"+strings.ToLower(label)+": "+value) && !strings.Contains(image, "<title>"+label+": "+value) {
			t.Errorf("%s does not say %s %s", b[3], label, value)
		}
		want := map[string]string{"Go": "\ngo " + value + "\n", "License": "Apache License\n                           Version 2.0"}[label]
		if want == "" || !strings.Contains(source, want) {
			t.Errorf("%s does not say %s %s", b[4], label, value)
		}
	}
}
