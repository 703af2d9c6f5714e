package control

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// Anyone who adds a total to the engine, or to the status alone, learns here where else it
// belongs.
func TestEveryTotalIsInTheStatusAndItsText(t *testing.T) {
	var counted engine.Counts
	totals := map[string]int{}
	for field, v := range reflect.ValueOf(&counted).Elem().Fields() {
		if v.Kind() == reflect.Int {
			totals[field.Name] = 100 + len(totals)
			v.SetInt(int64(totals[field.Name]))
		}
	}
	counts := CountsOf(counted, [packet.Drops]int{})
	text := counts.String()
	shown := reflect.ValueOf(counts)
	for name, want := range totals {
		if v := shown.FieldByName(name); !v.IsValid() || v.Int() != int64(want) {
			t.Errorf("the engine counts %s: expected a field of Counts with that name, and a line in CountsOf", name)
		}
	}
	for field, v := range shown.Fields() {
		if v.Kind() != reflect.Int {
			continue
		}
		if v.Int() == 0 {
			t.Errorf("CountsOf leaves out %s", field.Name)
		}
		if !strings.Contains(text, fmt.Sprint(v.Int())) {
			t.Errorf("the text %q leaves out %s", text, field.Name)
		}
	}
}
