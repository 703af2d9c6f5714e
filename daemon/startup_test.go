package daemon

import (
	"testing"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/config"
	"sesame/scripting/source/sourcetest"
)

// Whether a value was written as a list is known of the values in the configuration file, and not
// of those that were saved with the last good scripts.
func TestTheLastGoodScriptsKeepTheirValues(t *testing.T) {
	d := &daemon{config: Config{Log: hclog.NewNullLogger(), Config: config.Config{
		Options: map[string]config.Value{"site": {Text: "madrid,lisbon", From: "sesame.toml:2", List: true}},
	}}}
	files := map[string]string{"a.lua": `local site = sesame.option "site" { type = "string" }`}
	if _, err := d.load(sourcetest.Files(files), d.values()); err == nil {
		t.Error("a list is taken for a text")
	}
	set, err := d.load(sourcetest.Files(files), map[string]string{"site": "madrid"})
	if err != nil {
		t.Fatalf("the saved value is refused: %v", err)
	}
	set.Close()
}
