//go:build linux

package listing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// What this program does when its first argument says so.
const (
	asLister = "list" // what the daemon starts
	asLiar   = "lie"  // it answers what is no answer
	asMute   = "mute" // it ends at once
)

func TestMain(m *testing.M) {
	var err error
	switch first := append(os.Args, "", "")[1]; first {
	case asLister:
		err = errors.Join(Confine(), Serve(context.Background(), os.Stdin, os.Stdout))
	case asLiar:
		fmt.Println("hello")
		_, err = os.Stdin.Read(make([]byte, 1))
	case asMute:
	default:
		goleak.VerifyTestMain(m)
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(0)
}
