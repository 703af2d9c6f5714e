package client

import (
	"context"
	"time"
)

// wait returns nil after d, or the error of ctx when that ends first.
func wait(ctx context.Context, d time.Duration) error {
	over, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-over.Done()
	return ctx.Err()
}
