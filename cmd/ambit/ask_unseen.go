package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// askUnseen asks on the terminal for a line that is not shown. Ctrl-C and Ctrl-D are
// errInterrupted; without a terminal it is errNoTerminal.
func askUnseen(ctx context.Context, question string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", errNoTerminal
	}
	defer tty.Close()
	// Before the question: what is typed at once must not be shown either.
	state, err := term.MakeRaw(int(tty.Fd()))
	if err != nil {
		return "", fmt.Errorf("cannot ask on the terminal: %w", err)
	}
	defer func() { _ = term.Restore(int(tty.Fd()), state) }() // there is no other to restore
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		text, err := term.NewTerminal(tty, "").ReadPassword(printableWhole(question))
		got <- answer{text, err}
	}()
	const newline = "\r\n" // what is said next is not for the line of the question
	select {
	case <-ctx.Done():
		_, _ = io.WriteString(tty, newline)
		return "", context.Cause(ctx)
	case in := <-got:
		switch {
		case errors.Is(in.err, io.EOF):
			_, _ = io.WriteString(tty, newline)
			return "", errInterrupted // in raw mode they are bytes
		case in.err != nil:
			return "", fmt.Errorf("cannot read the answer: %s", reason(in.err))
		}
		return in.text, nil
	}
}
