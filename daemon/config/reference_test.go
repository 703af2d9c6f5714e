package config

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the reference and the example anew")

const (
	referencePath = "../../docs/configuration.md"
	examplePath   = "../systemd/sesame.toml"
)

// TestReference holds docs/configuration.md and the example file to the table
// that files are checked against. Run with -update to write them anew.
func TestReference(t *testing.T) {
	for path, want := range map[string]string{referencePath: reference(), examplePath: example()} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not what the table says; run go test ./daemon/config -update (-want +got):\n%s", path, diff)
		}
	}
}

const introduction = `# sesame.toml

What the daemon is told beside its scripts. It is read once, at the start of ` + "`sesame run`" + `: from ` + "`/etc/sesame/sesame.toml`" + ` if that is there, or
from the file that ` + "`-c`" + ` names. A flag overrides what the file says: a list replaces a list, and ` + "`--set`" + ` adds to the options. Everything has a
default, and without a file all defaults hold. The format is [TOML](https://toml.io). This page is made from the table that Sesame checks files against.

- An unknown key is an error, with the nearest known one. All that is wrong is told at once, each with its line.
- Keys without a table stand at the head of the file, before the first ` + "`[table]`" + `.
- A relative path begins at the directory of the configuration file.
- What is legal and may not be meant is a warning: to trust ` + "`0.0.0.0/0`" + `, for one, makes every guard void.

` + "```toml" + `
trusted            = ["192.0.2.0/24"] # the office: whatever happens, it gets in
trusted_interfaces = ["wg0"]

[options]                             # of the scripts: sesame.option
ttl  = "2h"
port = 2222

[log]
level = "debug"
` + "```" + `

## Which file, which scripts
` + "`sesame run`" + ` reads the configuration as above. Its scripts are those of ` + "`-s`" + `, else of the file, else ` + "`scripts`" + ` beside the file; without a file
` + "`/etc/sesame/scripts`" + `. It never takes ` + "`./scripts`" + ` by itself: what a daemon runs does not depend on where it was started.

` + "`sesame check` and `sesame simulate`" + ` work on scripts wherever they are, and what they find must not depend on the machine:

1. ` + "`-c FILE`" + `: scripts, options and local of that file; ` + "`-s`, `--set` and `--local`" + ` override them.
2. ` + "`-s`" + `: those scripts; no file is read.
3. ` + "`./scripts`" + `, if it is there; no file is read.
4. ` + "`/etc/sesame/sesame.toml`" + `, if it is there, as with ` + "`-c`" + `.
5. ` + "`/etc/sesame/scripts`" + `.

A capture does not tell the addresses of the machine that it was made on. When ` + "`local`" + ` is given, ` + "`sesame simulate`" + ` takes it for all of them.

## Commands and privileges
The daemon runs as root and keeps two capabilities, CAP_NET_RAW and CAP_NET_ADMIN. When no script has a command, nothing that it starts could get more.
When there are commands, they run as root, with what the unit allows: the comments in ` + "`sesame.service`" + ` say how to allow more. A script that gets
its first command while the daemon runs has it confined until the next start, and the log says so.

Without its other capabilities root reads only what root owns or everybody may read: so should be the scripts, and a knockd.conf that they name. A file of
one-time sequences is written anew, beside the old one, each time that one is used. So root must own it and its directory, and neither may lie where the unit lets nothing
be written, as below ` + "`/etc`" + `: put it into ` + "`/var/lib/sesame`" + `, or let ` + "`systemctl edit sesame`" + ` add the line ` + "`ReadWritePaths=/etc/knockd`" + `.
`

const optionsText = `
## [options]
Values of the options that scripts declare with ` + "`sesame.option`" + `, by name: text, numbers, ` + "`true` or `false`" + `. A name that no script declares is an error.

` + "```toml" + `
[options]
ttl = "30m"
` + "```" + `
`

const setModeText = `
Set mode, with the sets in a table of yours:

` + "```toml" + `
[firewall]
mode  = "set"
table = "inet filter"
set4  = "sesame4"
set6  = "sesame6"
` + "```" + `

Make them so, and let rules of yours accept what is in them:

` + "```" + `
` + setModeRules + "```" + `

Without ` + "`flags interval`" + ` a set takes single addresses alone. Its keys may also lack the protocol, or be addresses and nothing else: then whoever has
access to one port has it to all that your rule names.
`

// setModeRules are lines for nft.
const setModeRules = `table inet filter {
	set sesame4 { type ipv4_addr . inet_proto . inet_service; flags interval,timeout; }
	set sesame6 { type ipv6_addr . inet_proto . inet_service; flags interval,timeout; }
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iif lo accept
		icmp type echo-request accept
		icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
		ip saddr . meta l4proto . th dport @sesame4 accept
		ip6 saddr . meta l4proto . th dport @sesame6 accept
	}
}
`

func reference() string {
	var b strings.Builder
	b.WriteString(introduction)
	b.WriteString("\n## Keys at the head\n")
	table := ""
	for _, k := range Keys() {
		if tableOf(k.Name) != table {
			if table == "" {
				b.WriteString(optionsText)
			}
			if table == "firewall" {
				b.WriteString(setModeText)
			}
			table = tableOf(k.Name)
			fmt.Fprintf(&b, "\n## [%s]\n", table)
		}
		name := strings.TrimPrefix(k.Name, table+".")
		fmt.Fprintf(&b, "- `%s` (%s", name, k.Type)
		if k.Default != "" {
			fmt.Fprintf(&b, ", default `%s`", k.Default)
		}
		fmt.Fprintf(&b, "): %s\n  `%s = %s`\n", k.Doc, name, k.Example)
	}
	return b.String()
}

// example is a file in which every key stands with its default, as a comment.
func example() string {
	var b strings.Builder
	b.WriteString("# /etc/sesame/sesame.toml: what sesame run is told beside its scripts. Everything\n" +
		"# here is a comment and shows the default; docs/configuration.md says more.\n")
	table := ""
	for _, k := range Keys() {
		if tableOf(k.Name) != table {
			if table == "" {
				b.WriteString("\n[options]\n# Values of the options that scripts declare.\n#ttl = \"30m\"\n")
			}
			table = tableOf(k.Name)
			fmt.Fprintf(&b, "\n[%s]", table)
		}
		fmt.Fprintf(&b, "\n%s", wrapped(k.Doc))
		value := k.Default
		if value == "" {
			value = k.Example
		}
		fmt.Fprintf(&b, "#%s = %s\n", strings.TrimPrefix(k.Name, table+"."), value)
	}
	return b.String()
}

// wrapped makes comment lines of a text.
func wrapped(text string) string {
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 80 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
	return b.String()
}

// settingLine is a setting in the example that is commented out.
var settingLine = regexp.MustCompile(`(?m)^#([a-z0-9_]+ = )`)

// TestTheExampleIsTheDefault holds that the example changes nothing, and neither
// do its settings when they are no comments.
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
		if !regexp.MustCompile(`^(table|set4|set6|ttl|knockd) = `).MatchString(line) { // these have no default
			kept = append(kept, line)
		}
	}
	if n := len(settingLine.FindAllString(string(text), -1)); n != len(Keys())+1 {
		t.Errorf("the example has %d settings, want each of %d and an option", n, len(Keys()))
	}
	same(t, want, parsed(t, Path, strings.Join(kept, "\n")))
}

// TestTheReferenceIsTrue parses what stands in it as TOML.
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

// TestRealSetModeRules holds that nft takes them. It changes nothing: they are
// only checked, in a network namespace of their own.
func TestRealSetModeRules(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: nft checks nothing")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not here")
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--net", "nft", "--check", "--file", "-")
	cmd.Stdin = strings.NewReader(setModeRules)
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
