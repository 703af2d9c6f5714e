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

// A question is what [Serve] reads. Its number is in the answer, so that one which nobody waits for
// any more is not taken for another.
type question struct {
	Question uint64 `json:"question"`
	Rule
}

// An answer is what [Serve] writes for each rule that it was asked for.
type answer struct {
	Question uint64 `json:"question"`
	Text     string `json:"text,omitempty"`
	Error    string `json:"error,omitempty"`
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
		var q question
		if err := json.Unmarshal(line, &q); err != nil {
			return fmt.Errorf("reading a question for a rule: %w", err)
		}
		a := answer{Question: q.Question}
		if a.Text, err = Text(ctx, q.Rule); err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("answering for a rule: %w", err)
		}
	}
}
