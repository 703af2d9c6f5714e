package main

import (
	"reflect"
	"testing"

	"sesame/scripting/lint"
)

// TestEffectsTextHasEveryField sets each field of the list of effects to another
// value, and fails for one that does not change the text.
func TestEffectsTextHasEveryField(t *testing.T) {
	script := lint.Script{
		File: "a.lua",
		Doors: []lint.Door{{
			Name: "d", File: "a.lua", Line: 1, Guards: []string{"tcp/22"}, OneTime: "/s",
			Allows:   []lint.Allow{{File: "a.lua", Line: 2, Ports: []string{"tcp/80"}}},
			Closes:   []lint.Close{{File: "a.lua", Line: 3, Door: "e"}},
			Commands: []lint.Command{{Name: "c", Line: 4, Argv: []string{"/bin/c"}, Undo: []string{"/bin/u"}}},
		}},
		Allows:   []lint.Allow{{File: "a.lua", Line: 5}},
		Closes:   []lint.Close{{File: "a.lua", Line: 6}},
		Commands: []lint.Command{{Name: "f", Line: 7, Argv: []string{"/bin/f"}, Undo: []string{"/bin/u"}}},
	}
	before := describe(script)
	everyField(t, reflect.ValueOf(&script).Elem(), func(name string) {
		if name != "Command.Name" && describe(script) == before {
			t.Errorf("describe, cmd/sesame/effects.go, does not write %s", name)
		}
	})
}

// everyField changes each field of a struct, and of the structs in it, calls
// changed, and puts the field back.
func everyField(t *testing.T, v reflect.Value, changed func(name string)) {
	t.Helper()
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Name()+"."+v.Type().Field(i).Name
		was := reflect.ValueOf(field.Interface())
		switch field.Kind() {
		case reflect.String:
			field.SetString("other")
		case reflect.Int:
			field.SetInt(field.Int() + 8)
		case reflect.Bool:
			field.SetBool(!field.Bool())
		case reflect.Slice:
			if field.Type().Elem().Kind() == reflect.Struct {
				everyField(t, field.Index(0), changed)
				field.SetZero()
			} else {
				field.Set(reflect.Append(field, reflect.ValueOf("other")))
			}
		case reflect.Map:
			field.Set(reflect.ValueOf(map[string][]string{"level": {"low"}}))
		default:
			t.Fatalf("the test cannot change %s", name)
		}
		changed(name)
		field.Set(was)
	}
}
