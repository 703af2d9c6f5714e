package control

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// docs/transcript.md names each key of the state directory.
func TestKeysOfTheStateAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/transcript.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "Below `state` it has")
	documented, _, _ := strings.Cut(rest, "\n\n")
	for _, kind := range []reflect.Type{reflect.TypeFor[State](), reflect.TypeFor[Journal]()} {
		for i := range kind.NumField() {
			key, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(documented, "`"+key+"`") {
				t.Errorf("%s.%s: the key %s is not documented", kind.Name(), kind.Field(i).Name, key)
			}
		}
	}
}
