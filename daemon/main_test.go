package daemon

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"sesame/daemon/privileged"
)

// asLoader is the argument with which this program tells a helper what scripts declare.
const asLoader = "load-set"

func TestMain(m *testing.M) {
	if len(os.Args) != 2 || os.Args[1] != asLoader {
		os.Exit(m.Run())
	}
	if err := privileged.Load(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(0)
}

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
