package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sesame/cmd/knock/client"
	"sesame/cmd/sesame/manual"
	"sesame/daemon/config"
	"sesame/scripting/reference"
)

// writtenManual writes the manual of the program, and returns the paths of its pages.
func writtenManual(t *testing.T) (directory string, pages []string) {
	t.Helper()
	directory = t.TempDir()
	p := &program{}
	if err := p.writeManual(p.root(), directory, "2026-11-30"); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(directory, "share/man/man*/*"))
	if err != nil || len(pages) < 25 {
		t.Fatalf("%d pages, %v: expected one for each command and more", len(pages), err)
	}
	return directory, pages
}

// TestManualIsTheSameTwice holds that the bytes depend on the program and the date alone.
func TestManualIsTheSameTwice(t *testing.T) {
	one, pages := writtenManual(t)
	two, _ := writtenManual(t)
	for _, page := range pages {
		name, _ := filepath.Rel(one, page)
		a, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(two, name)); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs, or is missing: %v", name, err)
		}
	}
}

// TestManualReferences holds that each page of ours that a page names is there.
func TestManualReferences(t *testing.T) {
	directory, pages := writtenManual(t)
	reference := regexp.MustCompile(`(?:\\fB)?(sesame[a-z.\\-]*?)(?:\\fR)?\(([0-9])\)`)
	named := map[string]bool{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range reference.FindAllStringSubmatch(string(text), -1) {
			name := strings.ReplaceAll(m[1], `\-`, "-")
			named[name] = true
			if _, err := os.Stat(filepath.Join(directory, "share/man", "man"+m[2], name+"."+m[2])); err != nil {
				t.Errorf("%s names %s(%s), which is no page", filepath.Base(page), name, m[2])
			}
		}
	}
	const again = 1 // knock(1) is sesame-knock(1) by another name
	if len(named) != len(pages)-again {
		t.Errorf("%d pages are named, of %d: expected that sesame(8) names all but knock(1)", len(named), len(pages))
	}
}

// TestEveryCommandHasAPage fails for a command that has neither a page nor a reason to have none,
// and for a reason that no command needs.
func TestEveryCommandHasAPage(t *testing.T) {
	directory, _ := writtenManual(t)
	reasons := pageless()
	p := &program{}
	root := p.root()
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		_, err := os.Stat(filepath.Join(directory, "share/man/man8", pageName(c)+".8"))
		reason, without := reasons[c.Name()]
		if delete(reasons, c.Name()); without != (err != nil) {
			t.Errorf("%s: a page: %v; the reason to have none: %q", c.CommandPath(), err, reason)
		}
		if without && !c.Hidden && c.Name() != "help" && c.Name() != "knock" {
			t.Errorf("%s has no page, and --help lists it", c.CommandPath())
		}
	}
	for name := range reasons {
		t.Errorf("there is no command %s", name)
	}
	root.AddCommand(&cobra.Command{Use: "forgotten", Short: "Forget", Hidden: true, Run: func(*cobra.Command, []string) {}})
	pages := p.manualPages(root, "2026-11-30")
	if !slices.ContainsFunc(pages, func(page *manual.Page) bool { return page.Path() == "man8/sesame-forgotten.8" }) {
		t.Error("a new command has no page")
	}
}

// TestCommandPage holds the page of a command with another below it: the exit status has a section
// of its own, and only what concerns the command is told.
func TestCommandPage(t *testing.T) {
	root, c := &cobra.Command{Use: "sesame"}, &cobra.Command{Use: "box", Short: "Show boxes", Long: "Box shows.\n\nThe exit status is 1 for none."}
	below := &cobra.Command{Use: "open [flags] NAME", Short: "Open it", Long: "Open opens.\n\n  x\n\nThe exit status is 0.",
		Example: "  sesame box open a\n", Run: func(*cobra.Command, []string) {}}
	below.Flags().StringP("config", "c", "", "the file")
	below.Flags().Int("limit", 100, "how many?")
	root.AddCommand(c)
	c.AddCommand(below, &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}})
	w := &manualWriter{program: &program{}, date: "2026-11-30", source: "sesame 1"}
	_, got, _ := strings.Cut(w.command(c).String(), ".SH \"SYNOPSIS\"\n")
	want := `\fBsesame\fR \fBbox\fR \fBopen\fR [\fIOPTION\fR]... \fINAME\fR
.SH "DESCRIPTION"
Box shows.
.SH "COMMANDS"
.SS "\fBsesame\fR \fBbox\fR \fBopen\fR [\fIOPTION\fR]... \fINAME\fR"
Open opens.
.RS 4
.sp
.EX
x
.EE
.RE
.TP
\fB\-c\fR, \fB\-\-config\fR \fIFILE\fR
The file.
.TP
\fB\-h\fR, \fB\-\-help\fR
Print a summary.
.TP
\fB\-\-limit\fR \fIN\fR
How many? (default: \fB100\fR).
.SH "EXIT STATUS"
The exit status is 1 for none.
.PP
\fBsesame box open\fR: the exit status is 0.
`
	sections := []string{"ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"}
	if diff := cmp.Diff(want, got[:strings.Index(got, ".SH \"ENVIRONMENT")]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var rest []string
	for _, m := range regexp.MustCompile(`(?m)^\.SH "(.*)"`).FindAllStringSubmatch(got[strings.Index(got, ".SH \"ENVIRONMENT"):], -1) {
		rest = append(rest, m[1])
	}
	if diff := cmp.Diff(sections, rest); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
	for _, foreign := range []string{"NO_COLOR", "/run/sesame", "SIGHUP", "secret"} {
		if strings.Contains(got, foreign) {
			t.Errorf("the page tells of %s", foreign)
		}
	}
}

// TestManualHasAll holds that each flag, setting and name of scripts is in its page.
func TestManualHasAll(t *testing.T) {
	directory, pages := writtenManual(t)
	text := map[string]string{}
	for _, page := range pages {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text[filepath.Base(page)] = string(content)
		if strings.Contains(string(content), "{{") {
			t.Errorf("%s has a directive of a template", filepath.Base(page))
		}
		if section, _ := filepath.Rel(filepath.Join(directory, "share/man"), page); !strings.HasPrefix(section, "man"+page[len(page)-1:]+"/") {
			t.Errorf("%s is in the wrong directory", section)
		}
	}
	has := func(page, what string) {
		t.Helper()
		if !strings.Contains(text[page], what) {
			t.Errorf("%s lacks %s", page, what)
		}
	}
	p := &program{}
	eachCommand(p.root(), func(c *cobra.Command) {
		path := strings.Fields(c.CommandPath())
		if len(path) < 2 || !hasPage(c) || !hasPage(c.Parent()) {
			return
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				has("sesame-"+path[1]+".8", manual.Bold("--"+f.Name))
			}
		})
	})
	for _, k := range config.Keys() {
		_, name, found := strings.Cut(k.Name, ".")
		if !found {
			name = k.Name
		}
		has("sesame.toml.5", ".TP\n"+manual.Bold(name)+"\n")
	}
	if got, want := strings.Count(text["sesame.toml.5"], "\nExample: "), len(config.Keys()); got != want {
		t.Errorf("sesame.toml.5 has %d keys: expected each of the %d once", got, want)
	}
	for _, o := range reference.Objects(reference.Whole()) {
		for _, m := range o.Members {
			name := o.Name
			if reference.Shared(reference.Objects(reference.Whole()), m) {
				name = "attempt"
			}
			has("sesame-scripts.7", ".TP\n"+manual.Bold(reference.Spelled(name, m)))
		}
	}
	for _, f := range client.Flags() {
		has("sesame-knock.1", manual.Bold("--"+f.Name))
	}
}

// TestRealManual has man and mandoc read each page: neither has a complaint, and the name of each
// page is found by apropos.
func TestRealManual(t *testing.T) {
	for _, name := range []string{"man", "mandoc", "lexgrog"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: .ci/install does it", name)
		}
	}
	_, pages := writtenManual(t)
	for _, page := range pages {
		for _, argv := range [][]string{
			{"man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", page},
			{"mandoc", "-T", "lint", "-W", "warning", page},
		} {
			cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
			cmd.Env = append(cmd.Environ(), "MANROFFSEQ=", "MANWIDTH=80", "LC_ALL=C.UTF-8")
			var complaints bytes.Buffer
			cmd.Stderr = &complaints
			out, err := cmd.Output()
			if argv[0] == "mandoc" {
				complaints.Write(out)
			} else if at := strings.Index(string(out), "\u2010\n"); at >= 0 {
				t.Errorf("%s: man takes a word apart: %q", filepath.Base(page), out[max(0, at-60):at])
			}
			if err != nil || complaints.Len() > 0 {
				t.Errorf("%s %s: %v\n%s", argv[0], filepath.Base(page), err, &complaints)
			}
		}
	}
	out, err := exec.CommandContext(t.Context(), "lexgrog", pages...).Output()
	if err != nil {
		t.Errorf("lexgrog: %v", err)
	}
	for _, page := range pages {
		name := strings.TrimSuffix(filepath.Base(page), filepath.Ext(page))
		if !strings.Contains(string(out), page+`: "`+name+" - ") {
			t.Errorf("lexgrog finds no name in %s", page)
		}
	}
}
