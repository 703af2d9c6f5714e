package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/joshdk/go-junit"
	"pgregory.net/rapid"

	"sesame/simulate/suite"
	"sesame/simulate/suite/report"
)

// rules are what Jenkins' schema junit-10.xsd allows of the elements that we write: their parents,
// their attributes, and those of them that must be there.
var rules = map[string]struct{ parents, attributes, required []string }{
	"testsuites": {[]string{""}, []string{"name", "time", "tests", "failures", "errors"}, nil},
	"testsuite": {
		[]string{"testsuites"},
		[]string{"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"},
		[]string{"name", "tests", "failures", "errors"},
	},
	"testcase": {[]string{"testsuite"}, []string{"name", "time", "classname", "group"}, []string{"name"}},
	"failure":  {[]string{"testcase"}, []string{"type", "message"}, nil},
	"error":    {[]string{"testcase"}, []string{"type", "message"}, nil},
	"skipped":  {[]string{"testcase"}, []string{"type", "message"}, nil},
}

// valid returns how XML differs from the schema; nil when it does not.
func valid(text []byte) error {
	d := xml.NewDecoder(bytes.NewReader(text))
	parents := []string{""}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.EndElement:
			parents = parents[:len(parents)-1]
		case xml.StartElement:
			rule, known := rules[token.Name.Local]
			if !known || !slices.Contains(rule.parents, parents[len(parents)-1]) {
				return fmt.Errorf("%s below %q", token.Name.Local, parents)
			}
			var names []string
			for _, a := range token.Attr {
				if names = append(names, a.Name.Local); !slices.Contains(rule.attributes, a.Name.Local) {
					return fmt.Errorf("%s: attribute %s", token.Name.Local, a.Name.Local)
				}
			}
			for _, name := range rule.required {
				if !slices.Contains(names, name) {
					return fmt.Errorf("%s: no attribute %s", token.Name.Local, name)
				}
			}
			parents = append(parents, token.Name.Local)
		}
	}
}

func written(t interface{ Fatal(...any) }, runs ...report.Run) []byte {
	text, err := report.JUnit(runs)
	if err == nil {
		err = valid(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestJUnit(t *testing.T) {
	want := `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="sesame" tests="5" failures="1" errors="1">
  <testsuite name="scripts/ssh_test.lua" tests="2" failures="1" errors="0" skipped="0" file="scripts/ssh_test.lua">
    <testcase name="opens" classname="ssh_test"></testcase>
    <testcase name="closes" classname="ssh_test">
      <failure message="came once, expected never" type="expectation">scripts/ssh_test.lua:11:3&#xA;expected  opens ssh, source 203.0.113.9&#xA;          closes ssh&#xA;came      refuses ssh&#xA;203.0.113.9  ssh  refused: iberia&#xA;203.0.113.9  ssh  within &gt;= 9.1s: opens</failure>
      <failure message="no door &#34;ssh&#34;" type="expectation">scripts/ssh_test.lua:9:1</failure>
    </testcase>
  </testsuite>
  <testsuite name="scripts/web_test.lua" tests="2" failures="0" errors="0" skipped="2" file="scripts/web_test.lua">
    <testcase name="from the field" classname="web_test">
      <skipped message="skipped: captures/x.pcap is missing"></skipped>
    </testcase>
    <testcase name="late" classname="web_test">
      <skipped message="not run: the time was over"></skipped>
    </testcase>
  </testsuite>
  <testsuite name="scripts with x.toml" tests="1" failures="0" errors="1" skipped="0">
    <testcase name="the scripts and tests load" classname="sesame">
      <error message="expected a port" type="problem">scripts/ssh.lua:3:2</error>
      <error message="no space" type="problem"></error>
    </testcase>
  </testsuite>
</testsuites>
`
	if diff := cmp.Diff(want, string(written(t, four(), unloadable("x.toml")))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A parser that others wrote reads what we write.
func TestAnotherParserReadsJUnit(t *testing.T) {
	suites, err := junit.Ingest(written(t, four(), unloadable("x.toml"), gateway("a.toml", field)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range suites {
		for _, test := range s.Tests {
			got = append(got, fmt.Sprintf("%s|%s|%s|%s", s.Name, test.Classname, test.Name, test.Status))
		}
	}
	want := []string{
		"scripts/ssh_test.lua|ssh_test|opens|passed",
		"scripts/ssh_test.lua|ssh_test|closes|failed",
		"scripts/web_test.lua|web_test|from the field|skipped",
		"scripts/web_test.lua|web_test|late|skipped",
		"scripts with x.toml|sesame|the scripts and tests load|error",
		"scripts/ssh_test.lua with a.toml|ssh_test|opens|passed",
		"scripts/ssh_test.lua with a.toml|ssh_test|closes|passed",
		"scripts/web_test.lua with a.toml|web_test|from the field|failed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever names and messages have in them, the XML is well-formed and keeps the schema.
func TestJUnitIsWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, _, _ := failing(t)
		suites, err := junit.Ingest(written(t, r))
		if err != nil || len(suites) != 1 || len(suites[0].Tests) != 1 || suites[0].Totals.Failed != 1 {
			t.Fatalf("read back as %+v, %v", suites, err)
		}
	})
}

// The rules of the schema are looked at: XML against them is refused.
func TestTheSchemaIsLookedAt(t *testing.T) {
	for _, text := range []string{
		`<testsuite name="x" tests="1" failures="0" errors="0"/>`, // not the root of ours
		`<testsuites><testsuite tests="1" failures="0" errors="0"/></testsuites>`,
		`<testsuites><testsuite name="x" tests="1" failures="0" errors="0"><testcase name="x" file="y"/></testsuite></testsuites>`,
		`<testsuites><testcase name="x"/></testsuites>`,
		`<testsuites>`,
	} {
		if valid([]byte(text)) == nil {
			t.Errorf("allowed: %s", text)
		}
	}
	if text := written(t, report.Run{Report: &suite.Report{}}); !bytes.Contains(text, []byte(`tests="0"`)) {
		t.Errorf("no tests: %s", text)
	}
}
