package control_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// TestEveryCountIsReported: whatever the engine counts, sesame status --json has it.
func TestEveryCountIsReported(t *testing.T) {
	var counts engine.Counts
	fields := reflect.ValueOf(&counts).Elem()
	for i := range fields.NumField() {
		if fields.Field(i).CanInt() {
			fields.Field(i).SetInt(int64(1001 + i))
		}
	}
	text, err := json.Marshal(control.CountsOf(counts, [packet.Drops]int{}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range fields.NumField() {
		if f := fields.Field(i); f.CanInt() && !strings.Contains(string(text), fmt.Sprint(f.Int())) {
			t.Errorf("engine.Counts.%s is not reported: add it to control.Counts and CountsOf", fields.Type().Field(i).Name)
		}
	}
}
