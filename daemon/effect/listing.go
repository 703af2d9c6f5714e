package effect

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"time"
)

const (
	listingTimeout = 2 * time.Second
	maxListing     = 1 << 20 // bytes
)

// errLongListing ends a program that prints more than we read.
var errLongListing = errors.New("a listing of more than 1 MiB")

// Listing runs a program that only lists something, such as the rules of a chain, and returns what
// it prints: at most 1 MiB, within two seconds. The arguments are ours, and never come from a
// script or from the network.
func Listing(ctx context.Context, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, listingTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.WaitDelay = listingTimeout
	var out bounded
	c.Stdout = &out
	if err := c.Run(); err != nil {
		return "", err
	}
	return out.String(), nil
}

// bounded is a buffer that refuses what is too much.
type bounded struct{ bytes.Buffer }

// Write is [io.Writer].
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxListing {
		return 0, errLongListing
	}
	return b.Buffer.Write(p)
}
