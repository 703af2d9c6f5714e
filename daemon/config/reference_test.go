package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/docs/pagetest"
)

var update = flag.Bool("update", false, "write the reference and the example anew")

const (
	referencePath = "../../docs/configuration.md"
	examplePath   = "../systemd/sesame.toml"
)

// TestReference compares docs/configuration.md and the example file with the table that files are
// checked against. Run with -update to write them anew. Prose of the page stands in its template,
// docs/configuration.md.tmpl.
func TestReference(t *testing.T) {
	for path, want := range map[string]string{referencePath: reference(t), examplePath: example()} {
		pagetest.Compare(t, path, want, *update)
	}
}

// reference fills the template of the page from the table of keys. Its function keys lists the keys
// of one table, or with "" those at the head of the file.
func reference(t *testing.T) string {
	t.Helper()
	listed := map[string]bool{"options": true} // whose keys scripts declare
	page := pagetest.Fill(t, referencePath, map[string]any{
		"keys": func(table string) string {
			listed[table] = true
			return keyList(table)
		},
	})
	for _, table := range append(tables(), "") {
		if !listed[table] {
			t.Errorf("%s.tmpl lists no keys of %q: add {{keys %q}}", referencePath, table, table)
		}
	}
	return page
}

func keyList(table string) string {
	var b strings.Builder
	for _, k := range Keys() {
		if tableOf(k.Name) != table {
			continue
		}
		name := strings.TrimPrefix(k.Name, table+".")
		text := fmt.Sprintf("`%s` (%s", name, k.Type)
		if k.Default != "" {
			text += fmt.Sprintf(", default `%s`", k.Default)
		}
		b.WriteString(pagetest.Wrap(text+"): "+k.Doc, "- ", "  ", 100))
		fmt.Fprintf(&b, "  `%s = %s`\n", name, k.Example)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// example returns a file that holds every key with its default, as a comment.
func example() string {
	var b strings.Builder
	b.WriteString("# /etc/sesame/sesame.toml: the settings of sesame run. Everything here is a\n" +
		"# comment and shows the default; docs/configuration.md says more.\n")
	table := ""
	for _, k := range Keys() {
		if tableOf(k.Name) != table {
			if table == "" {
				b.WriteString("\n[options]\n# Values of the options that scripts declare.\n#ttl = \"30m\"\n")
			}
			table = tableOf(k.Name)
			fmt.Fprintf(&b, "\n[%s]", table)
		}
		fmt.Fprintf(&b, "\n%s", pagetest.Wrap(k.Doc, "# ", "# ", 80))
		value := k.Default
		if value == "" {
			value = k.Example
		}
		fmt.Fprintf(&b, "#%s = %s\n", strings.TrimPrefix(k.Name, table+"."), value)
	}
	return b.String()
}

// settingLine is a setting in the example that is commented out.
var settingLine = regexp.MustCompile(`(?m)^#([a-z0-9_]+ = )`)

// TestTheExampleIsTheDefault parses the example, and then the example without the comment signs
// before its settings. Both times all settings have their defaults.
func TestTheExampleIsTheDefault(t *testing.T) {
	text, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.File = Path
	same(t, want, parsed(t, Path, string(text)))

	uncommented := settingLine.ReplaceAllString(string(text), "$1")
	lines := strings.Split(uncommented, "\n")
	kept := lines[:0]
	for _, line := range lines {
		if !regexp.MustCompile(`^(table|set4|set6|ttl|knockd|audit|databases) = `).MatchString(line) { // these have no default
			kept = append(kept, line)
		}
	}
	if n := len(settingLine.FindAllString(string(text), -1)); n != len(Keys())+1 {
		t.Errorf("the example has %d settings, want each of %d and an option", n, len(Keys()))
	}
	same(t, want, parsed(t, Path, strings.Join(kept, "\n")))
}

// TestTheReferenceIsTrue parses the TOML blocks of the page.
func TestTheReferenceIsTrue(t *testing.T) {
	text, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 3 {
		t.Fatalf("found %d examples in %s: expected three and more", len(blocks), referencePath)
	}
	for _, block := range blocks {
		parsed(t, Path, block[1])
	}
}

// TestRealSetModeRules has nft check the rules on the page, in a network namespace of their own.
func TestRealSetModeRules(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: nft checks nothing")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not here")
	}
	text, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	rules := regexp.MustCompile("(?s)```\n(table inet filter.*?)```").FindSubmatch(text)
	if rules == nil {
		t.Fatalf("%s has no rules for set mode", referencePath)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--net", "nft", "--check", "--file", "-")
	cmd.Stdin = bytes.NewReader(rules[1])
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("nft: %v\n%s", err, out)
	}
}

func TestEveryKeyIsWhole(t *testing.T) {
	standard := Default()
	standard.File = filepath.Join("/etc/sesame", "x.toml")
	for _, k := range Keys() {
		t.Run(k.Name, func(t *testing.T) {
			if k.Type == "" || k.Example == "" || !strings.HasSuffix(k.Doc, ".") {
				t.Error("it has no type, no example or no sentence")
			}
			if k.Default != "" {
				same(t, standard, parsed(t, standard.File, setting(k.Name, k.Default)))
			}
			text := setting(k.Name, k.Example)
			switch {
			case strings.HasPrefix(k.Name, "firewall.set"):
				text += "\nfirewall.mode = \"set\"\nfirewall.table = \"inet filter\""
			case k.Name == "firewall.table" || k.Name == "firewall.mode":
				text = "firewall.mode = \"set\"\nfirewall.table = \"inet filter\"\nfirewall.set4 = \"s\""
			}
			if diff := cmp.Diff(standard, parsed(t, standard.File, text), compared); diff == "" {
				t.Error("the example changes nothing")
			}
		})
	}
}

func setting(name, value string) string { return name + " = " + value }
