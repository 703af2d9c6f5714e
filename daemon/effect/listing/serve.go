//go:build linux

package listing

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxRequest is the longest line that asks, in bytes.
const maxRequest = 4 << 10

// An answer is what [Serve] writes for each rule that it was asked for.
type answer struct {
	Text  string `json:"text,omitempty"`
	Error string `json:"error,omitempty"`
}

// Serve answers questions for the texts of rules, one after the other, until nobody asks any more.
// Who asks is not believed: a line that is no question ends it.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	questions, answers := bufio.NewReaderSize(in, maxRequest), json.NewEncoder(out)
	for {
		line, err := questions.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case err != nil:
			return fmt.Errorf("reading a question for a rule: %w", err)
		}
		var r Rule
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("reading a question for a rule: %w", err)
		}
		var a answer
		if a.Text, err = Text(ctx, r); err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("answering for a rule: %w", err)
		}
	}
}
