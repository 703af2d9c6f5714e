package reference_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting/reference"
)

func TestDefinitions(t *testing.T) {
	text := reference.Definitions(reference.Whole())
	for _, want := range []string{
		"---@class sesame.test.options\n---@field [integer] sesame.test.step\n",
		"---@return fun(options: sesame.test.options)\nfunction sesame.test(name) end\n",
		"---@field opens? string|sesame.test.opens|(string|sesame.test.opens)[]|false\n",
		"---@field knock? string|(sesame.port|sesame.test.knock)[]\n",
		"---@field facts? table<string, sesame.test.facts|string[]>\n",
		"---@class sesame.test.opens\n---@field [1]? string\n",
		"---@field within? sesame.duration\n",
		"---@field tz string\n", // it is required
		"---@field on_open? fun(attempt: sesame.attempt): boolean?, string?\n",
		"---@class sesame.networks.options\n---@field [integer] string\n",
		"---@class sesame.completed.options\n---@field [1] string\n",
		"---@param name string\n---@return fun(options: sesame.door.options)\nfunction sesame.door(name) end\n",
		"---@return fun(options: sesame.option.options): any\nfunction sesame.option(name) end\n",
		"---@param options string|sesame.granted.options\n---@return sesame.condition\nfunction sesame.granted(options) end\n",
		"---@param policy \"sesame\"|\"knockd\"\nfunction sesame.policy(policy) end\n",
		"---@param name string\n---@param call fun(timer: sesame.timer)\nfunction sesame.handler(name, call) end\n",
		"---@param options? sesame.attempt.allow.options\nfunction attempt:allow(options) end\n",
		"---@param key string\n---@param by? number\n---@param ttl? sesame.duration\n---@return number\nfunction store:incr(key, by, ttl) end\n",
		"---@param ... sesame.value\nfunction timer:log(text, ...) end\n",
		"---@return boolean holds\n---@return string? reason\nfunction attempt:holds(condition) end\n",
		"---@field family \"ipv4\"|\"ipv6\"|nil\n",
		"--- ```lua\n--- sesame.store:once(nonce, \"3m\")\n--- ```\n",
		"--- Value: duration.\n",
		`The default is "10s".`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the definitions lack:\n%s", want)
		}
	}
}

var (
	annotation = regexp.MustCompile(`^---@(meta|class|alias|field|param|return)\b ?(.*)$`)
	declared   = regexp.MustCompile(`(?m)^---@(?:class|alias) (\S+)`)
	head       = regexp.MustCompile(`^function [a-z]+[.:][a-z_]+\(([^)]*)\) end$`)
)

// TestAnnotationsAreRight reads the definitions as a language server does: each type is well formed
// and declared, each parameter that has a type is one of the function, and the other way round.
func TestAnnotationsAreRight(t *testing.T) {
	text := reference.Definitions(reference.Whole())
	builtin := []string{"false", "string", "number", "integer", "boolean", "nil", "any", "table"}
	known := map[string]bool{}
	for _, name := range builtin {
		known[name] = true
	}
	for _, m := range declared.FindAllStringSubmatch(text, -1) {
		if known[m[1]] {
			t.Errorf("%s is declared twice", m[1])
		}
		known[m[1]] = true
	}
	var params []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := head.FindStringSubmatch(line); m != nil {
			if diff := cmp.Diff(m[1], strings.Join(params, ", ")); diff != "" {
				t.Errorf("%s: parameters (-function +annotations):\n%s", line, diff)
			}
			params = nil
			continue
		}
		m := annotation.FindStringSubmatch(line)
		if strings.HasPrefix(line, "---@") && m == nil {
			t.Errorf("%s: an annotation that nobody knows", line)
		}
		if m == nil || m[1] == "meta" || m[1] == "class" {
			continue
		}
		kind := m[2]
		if m[1] != "return" {
			var name string
			name, kind, _ = strings.Cut(kind, " ")
			if m[1] == "field" && strings.HasPrefix(name, "[") && name != "[1]" && name != "[1]?" && name != "[integer]" {
				t.Errorf("%s: expected a name, [1] or [integer]", line)
			}
			if m[1] == "param" {
				params = append(params, strings.TrimSuffix(name, "?"))
			}
		}
		p := &typeParser{text: kind, known: known}
		if p.union(); p.wrong != "" {
			t.Errorf("%s: %s", line, p.wrong)
		}
	}
	if len(known) < 30 {
		t.Errorf("%d types are declared: expected those of all functions", len(known))
	}
}

// A typeParser reads the types of LuaCATS that the definitions use, by this grammar:
//
//	union = type { "|" type }
//	type  = ( text | "fun(" params ")" [ ":" union { "," union } ] | "(" union ")" |
//	          "table<" union "," union ">" | name ) { "[]" | "?" }
type typeParser struct {
	text  string
	known map[string]bool
	wrong string
}

// took removes a beginning, with the spaces before it.
func (p *typeParser) took(begin string) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(p.text, " "), begin)
	if ok {
		p.text = rest
	}
	return ok
}

func (p *typeParser) want(begin string) {
	if !p.took(begin) && p.wrong == "" {
		p.wrong = "expected " + begin + " before: " + p.text
	}
}

func (p *typeParser) union() {
	for p.one(); p.took("|"); {
		p.one()
	}
}

var (
	typeName  = regexp.MustCompile(`^ ?[a-z_][a-z0-9_.]*`)
	paramName = regexp.MustCompile(`^ ?[a-z_]+: `)
)

func (p *typeParser) one() {
	switch {
	case p.took(`"`):
		_, p.text, _ = strings.Cut(p.text, `"`)
	case p.took("fun("):
		for !p.took(")") && p.wrong == "" {
			if at := paramName.FindString(p.text); at != "" {
				p.text = p.text[len(at):]
			}
			p.union()
			p.took(",")
		}
		for p.took(":") || p.took(",") {
			p.union()
		}
	case p.took("("):
		p.union()
		p.want(")")
	case p.took("table<"):
		p.union()
		p.want(",")
		p.union()
		p.want(">")
	default:
		name := typeName.FindString(p.text)
		p.text = p.text[len(name):]
		if name = strings.TrimSpace(name); !p.known[name] && p.wrong == "" {
			p.wrong = "the type " + name + " is not declared"
		}
	}
	for p.took("[]") || p.took("?") {
	}
}

// TestRealLuacheck gives the definitions to luacheck, which reads them as Lua.
func TestRealLuacheck(t *testing.T) {
	if _, err := exec.LookPath("luacheck"); err != nil {
		t.Skip("luacheck is not installed: .ci/install does it")
	}
	path := filepath.Join(t.TempDir(), "sesame.lua")
	if err := os.WriteFile(path, []byte(reference.Definitions(reference.Whole())), 0o600); err != nil {
		t.Fatal(err)
	}
	// What has no body uses no arguments, and its tables are read by nobody.
	out, err := exec.CommandContext(t.Context(), "luacheck", "--no-config", "--no-color", "--std", "lua51", "--globals", "sesame", "string",
		"--no-unused-args", "--ignore", "241", "--no-max-line-length", path).CombinedOutput()
	if err != nil {
		t.Errorf("luacheck: %v\n%s", err, out)
	}
}

// TestNamesOfOptionsAreWords holds that completion in an editor can write each name.
func TestNamesOfOptionsAreWords(t *testing.T) {
	word := regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	for _, name := range reference.New(reference.Whole()).Names() {
		if slices.ContainsFunc(strings.Split(name, "."), func(part string) bool { return !word.MatchString(part) }) {
			t.Errorf("%s is no name of Lua", name)
		}
	}
}
