package difference_test

import (
	"fmt"
	"testing"

	"sesame/scripting/difference"
)

// TestRenamed has doors that have another name, and doors that only look like it.
func TestRenamed(t *testing.T) {
	door := func(name, options string) string {
		return fmt.Sprintf("sesame.door %q { guards = \"tcp/22\", %s }\n", name, options)
	}
	const plain, other = `sequence = { "tcp/7001", "tcp/7002" }`, `sequence = { "tcp/7001", "tcp/7003" }`
	const once, more = `one_time_sequences = "/once"`, `one_time_sequences = "/more"`
	for _, tt := range []struct{ name, before, after, want string }{
		{"another name", door("a", plain), door("b", plain), "map[a:b]"},
		{"another name and ttl", door("a", plain), door("b", plain+`, ttl = "9s"`), "map[a:b]"},
		{"the same name", door("a", plain), door("a", other), "map[]"},
		{"other knocks", door("a", plain), door("b", other), "map[]"},
		{"other flags", door("a", plain), door("b", `sequence = { "tcp/7001", { "tcp/7002", flags = "fin" } }`), "map[]"},
		{"another target", door("a", plain), door("b", plain+`, target = "198.51.100.1"`), "map[]"},
		{"one that is there still", door("a", plain), door("a", plain) + door("b", plain), "map[]"},
		{"two in place of one", door("a", plain), door("b", plain) + door("c", plain), "map[]"},
		{"one in place of two", door("a", plain) + door("b", plain), door("c", plain), "map[]"},
		{"two", door("a", plain) + door("b", other), door("c", other) + door("d", plain), "map[a:d b:c]"},
		{"one-time sequences", door("a", once), door("b", once), "map[a:b]"},
		{"other one-time sequences", door("a", once), door("b", more), "map[]"},
		{"a sequence in place of them", door("a", once), door("b", plain), "map[]"},
		{"a listener", door("a", `sequence = { "udp/7001" }`), `sesame.listen "b" { on = "udp/7001", on_knock = function() end }`, "map[]"},
		{"another payload", `sesame.listen "a" { on = "udp/7001", prefix = "x", on_knock = function() end }`, `sesame.listen "b" { on = "udp/7001", prefix = "y", on_knock = function() end }`, "map[]"},
		{"the same payload", `sesame.listen "a" { on = "udp/7001", prefix = "x", on_knock = function() end }`, `sesame.listen "b" { on = "udp/7001", prefix = "x", on_knock = function() end }`, "map[a:b]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := func(text string) map[string]string {
				return map[string]string{"a.lua": text, "/once": "1,2\n3,4\n", "/more": "1,2\n5,6\n"}
			}
			if got := fmt.Sprint(difference.Renamed(load(t, files(tt.before)), load(t, files(tt.after)))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
