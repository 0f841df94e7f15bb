package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

var errNoTerminal = errors.New("there is no terminal to ask on")

// confirm asks a question on the terminal and says whether the answer is yes;
// the end of input is a no, and so is an empty line unless yes is the default.
func confirm(ctx context.Context, question string, byDefault bool) (bool, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return false, errNoTerminal
	}
	defer tty.Close()
	choice := "[y/N]"
	if byDefault {
		choice = "[Y/n]"
	}
	if _, err := fmt.Fprintf(tty, "%s %s ", printableWhole(question), choice); err != nil {
		return false, fmt.Errorf("cannot ask: %w", err)
	}
	answer := make(chan string, 1)
	go func() {
		text, err := bufio.NewReader(tty).ReadString('\n')
		if err != nil {
			text = "n" // the end of input
		}
		answer <- text
	}()
	select {
	case <-ctx.Done():
		_, _ = fmt.Fprintln(tty)
		return false, context.Cause(ctx)
	case text := <-answer:
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "y", "yes":
			return true, nil
		case "":
			return byDefault, nil
		}
		return false, nil
	}
}
