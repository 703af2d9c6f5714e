package daemon

import (
	"errors"
	"os"
	"testing"
	"time"
)

// patience is longer than anything takes here.
const patience = 20 * time.Second

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	must(t, os.WriteFile(name, []byte(text), 0o600))
}

// must ends the test when something failed.
func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
