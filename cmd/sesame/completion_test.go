package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// undecided returns the flags and arguments for which nobody has decided what shells complete them
// to, or what stands for them in --help.
func (p *program) undecided(root *cobra.Command) (missing []string) {
	kinds := p.flagKinds()
	eachCommand(root, func(c *cobra.Command) {
		if !hasPage(c) && c.Name() != "knock" {
			return // nobody types it
		}
		if c.Runnable() && !c.HasSubCommands() && c.ValidArgsFunction == nil {
			missing = append(missing, c.CommandPath())
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Value.Type() == "bool" {
				return
			}
			_, completed := c.GetFlagCompletionFunc(f.Name)
			if kind, ok := kindOf(kinds, c, f); !ok || kind.name == "" || !completed || f.Annotations != nil {
				missing = append(missing, c.CommandPath()+" --"+f.Name)
			}
		})
	})
	return missing
}

// TestEveryFlagIsCompleted fails for a flag or an argument without a decision in the tables of
// completion_table.go.
func TestEveryFlagIsCompleted(t *testing.T) {
	p := &program{}
	for _, name := range p.undecided(p.root()) {
		t.Errorf("%s: what do shells complete it to? See completion_table.go", name)
	}
	extra := p.root()
	forgotten := &cobra.Command{Use: "forgotten [flags] FILE", Run: func(*cobra.Command, []string) {}}
	forgotten.Flags().String("what", "", "x")
	extra.AddCommand(forgotten)
	p.describeValues(extra)
	if diff := cmp.Diff([]string{"sesame forgotten", "sesame forgotten --what"}, p.undecided(extra)); diff != "" {
		t.Errorf("a new command (-want +got):\n%s", diff)
	}
}

// TestWhatCompletesToNothing fails for a flag that completes to nothing without a reason.
func TestWhatCompletesToNothing(t *testing.T) {
	nothing := reflect.ValueOf(cobra.NoFileCompletions).Pointer()
	free := freeFlags()
	for name, kind := range (&program{}).flagKinds() {
		if reflect.ValueOf(kind.complete).Pointer() == nothing && free[name].why == "" {
			t.Errorf("--%s completes to nothing: say why in freeFlags", name)
		}
	}
	if kind := (&program{}).flagKinds()["seed"]; reflect.ValueOf(kind.complete).Pointer() != nothing {
		t.Error("--seed is completed to something: this test does not see what completes to nothing")
	}
}

// TestEveryEntryIsUsed fails for an entry of the tables that no command has.
func TestEveryEntryIsUsed(t *testing.T) {
	p := &program{}
	flags, arguments := p.flagKinds(), p.argumentKinds()
	eachCommand(p.root(), func(c *cobra.Command) {
		delete(arguments, c.CommandPath())
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if own := c.CommandPath() + " --" + f.Name; flags[own].name != "" {
				delete(flags, own)
			} else {
				delete(flags, f.Name)
			}
		})
	})
	for name := range flags {
		t.Errorf("no command has the flag %s", name)
	}
	for name := range arguments {
		t.Errorf("there is no command %s", name)
	}
}

func TestOffered(t *testing.T) {
	all := []string{"ssh", "ssh", "", "web", "s p a c e", " led", "trail ", "-x", "new\nline", "tab\tx", "\x1b[2J", "\u202e", "\xff", helpMarker + "hi", "$(touch x)", "'\"\\`", "ü"}
	want := []string{"ssh", "web", "s p a c e", "$(touch x)", "'\"\\`", "ü"}
	if diff := cmp.Diff(want, offered(all, "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := offered(all, "w"); !slices.Equal(got, []string{"web"}) {
		t.Errorf("beginning with w: %q", got)
	}
}

func TestSeparated(t *testing.T) {
	complete := separated(words("gre", "vxlan", "a,b"))
	for begin, want := range map[string]string{
		"": "gre vxlan", "v": "vxlan", "gre,": "gre,vxlan", "gre,v": "gre,vxlan", "gre,vxlan,": "", "x,g": "x,gre",
	} {
		got, directive := complete(nil, nil, begin)
		if strings.Join(got, " ") != want || directive != noFiles {
			t.Errorf("%q: got %q, want %q", begin, got, want)
		}
	}
}

func TestInTurn(t *testing.T) {
	complete := inTurn(words("a"), words("b"))
	for n, want := range []string{"a", "b", ""} {
		if got, _ := complete(nil, make([]string, n), ""); strings.Join(got, "") != want {
			t.Errorf("argument %d: got %q", n+1, got)
		}
	}
}

// TestLocalAddresses holds that addresses that nobody knocks at from outside are not offered.
func TestLocalAddresses(t *testing.T) {
	for _, begin := range []string{"127.", "::1", "fe80:"} {
		if got, _ := completeLocal(nil, nil, begin); got != nil {
			t.Errorf("offered: %q", got)
		}
	}
	if got, _ := completeInterfaces(nil, nil, ""); len(got) < 2 || got[0] != "any" {
		t.Errorf("interfaces: %q", got)
	}
}
