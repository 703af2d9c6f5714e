package report_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/simulate/suite"
	"sesame/simulate/suite/report"
)

func encoded(t *testing.T, runs ...report.Run) string {
	t.Helper()
	text, err := json.MarshalIndent(report.JSON(runs), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return "\n" + string(text) + "\n"
}

func TestJSON(t *testing.T) {
	want := `
{
 "tests": [
  {
   "file": "scripts/ssh_test.lua",
   "line": 1,
   "column": 1,
   "name": "opens",
   "outcome": "passed"
  },
  {
   "file": "scripts/ssh_test.lua",
   "line": 9,
   "column": 1,
   "name": "closes",
   "outcome": "failed",
   "failures": [
    {
     "file": "scripts/ssh_test.lua",
     "line": 11,
     "column": 3,
     "message": "came once, expected never",
     "expected": "opens ssh, source 203.0.113.9\ncloses ssh",
     "came": "refuses ssh",
     "explanation": [
      "203.0.113.9  ssh  refused: iberia",
      "203.0.113.9  ssh  within \u003e= 9.1s: opens"
     ]
    },
    {
     "file": "scripts/ssh_test.lua",
     "line": 9,
     "column": 1,
     "message": "no door \"ssh\""
    }
   ]
  },
  {
   "file": "scripts/web_test.lua",
   "line": 1,
   "column": 1,
   "name": "from the field",
   "outcome": "skipped",
   "why": "captures/x.pcap is missing"
  },
  {
   "file": "scripts/web_test.lua",
   "line": 5,
   "column": 1,
   "name": "late",
   "outcome": "not_run",
   "why": "the time was over"
  }
 ],
 "problems": [
  {
   "config": "x.toml",
   "file": "ssh.lua",
   "line": 3,
   "column": 2,
   "message": "expected a port"
  },
  {
   "config": "x.toml",
   "message": "no space"
  }
 ],
 "written": [
  "scripts/captures/x.jsonl"
 ]
}
`
	if diff := cmp.Diff(want, encoded(t, four(), unloadable("x.toml"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("\n{\n \"tests\": []\n}\n", encoded(t)); diff != "" {
		t.Errorf("no runs (-want +got):\n%s", diff)
	}
}

func TestJSONOfCoverage(t *testing.T) {
	c := covered()
	c.Doors, c.Conditions = c.Doors[:1], c.Conditions[1:]
	c.Files[1].Lines = []suite.LineCoverage{{Line: 2, Hits: 3}, {Line: 7}}
	want := `
{
 "tests": [],
 "coverage": {
  "doors": [
   {
    "door": "ssh",
    "file": "s/ssh.lua",
    "line": 4,
    "stages": [
     3,
     2,
     2
    ],
    "opens": 2,
    "refusals": 4,
    "misses": 1
   }
  ],
  "conditions": [
   {
    "condition": "lan",
    "file": "s/web.lua",
    "line": 2,
    "yes": 0,
    "no": 1,
    "unknown": 0
   }
  ],
  "files": [
   {
    "file": "s/web.lua",
    "lines": [
     {
      "line": 2,
      "hits": 3
     },
     {
      "line": 7,
      "hits": 0
     }
    ]
   }
  ]
 }
}
`
	c.Files = c.Files[1:]
	if diff := cmp.Diff(want, encoded(t, report.Run{Dir: "s", Report: &suite.Report{Coverage: c}})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
