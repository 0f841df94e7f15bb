package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/creack/pty"
)

// ready is what bash prints before each prompt. See furnish.
const ready = "\x1b]133;A\a"

// bash is an interactive bash on a terminal of its own.
type bash struct {
	terminal *os.File
	cmd      *exec.Cmd
	output   <-chan []byte // closed when bash is gone
	pending  []byte        // what came after the last prompt
	shown    strings.Builder
}

// startBash starts it in the present directory.
func startBash(ctx context.Context, home string, env []string) (*bash, error) {
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--rcfile", home+"/.bashrc", "-i")
	cmd.Env = env
	// Wide: readline on a dumb terminal scrolls a long line sideways.
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 500})
	if err != nil {
		return nil, fmt.Errorf("no terminal for bash: %w", err)
	}
	output := make(chan []byte, 100)
	go func() {
		defer close(output)
		for {
			b := make([]byte, 4096)
			n, err := terminal.Read(b)
			output <- b[:n]
			if err != nil {
				return
			}
		}
	}()
	b := &bash{terminal: terminal, cmd: cmd, output: output}
	if _, _, err := b.until(ctx, 30*time.Second, ready); err != nil {
		b.close()
		return nil, fmt.Errorf("bash did not start: %w", err)
	}
	return b, nil
}

// close ends bash; the kernel then hangs up on what runs in its terminal. The
// terminal itself stays open until this process ends: closing it here would wait
// for the reader, and the reader for whoever else still has the terminal.
func (b *bash) close() {
	_ = b.cmd.Process.Kill() // it may be gone already
	_ = b.cmd.Wait()
}

// until reads up to the first of some texts, and says which one it was.
func (b *bash) until(ctx context.Context, patience time.Duration, texts ...string) (before, text string, err error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		for _, text := range texts {
			if text == "" {
				continue
			}
			if i := bytes.Index(b.pending, []byte(text)); i >= 0 {
				before = string(b.pending[:i])
				b.pending = b.pending[i+len(text):]
				return before, text, nil
			}
		}
		select {
		case more, ok := <-b.output:
			if !ok {
				return string(b.pending), "", errors.New("bash has ended")
			}
			b.pending = append(b.pending, more...)
		case <-late.C:
			return string(b.pending), "", fmt.Errorf("no answer in %v", patience)
		case <-ctx.Done():
			return "", "", ctx.Err()
		}
	}
}

// step is a line that is typed, and what it is to bring.
type step struct {
	line     string
	question string // asked in between, and answered with y
	promised []promise
	hidden   bool // not shown: a check of ours, not a part of the story
}

// promise is a pattern that the output matches, or must not match.
type promise struct {
	what    string
	pattern string
	not     bool
}

// do types a step's line, shows what came and holds it against what was promised.
func (b *bash) do(ctx context.Context, s step) error {
	const patience = 10 * time.Minute // the first step builds everything
	if _, err := b.terminal.WriteString(s.line + "\n"); err != nil {
		return fmt.Errorf("at %q: %w", s.line, err)
	}
	out, text, err := b.until(ctx, patience, ready, s.question)
	if err == nil && s.question != "" {
		if text != s.question {
			return fmt.Errorf("at %q: no question %q came, but:\n%s", s.line, s.question, plain(out))
		}
		if _, err := b.terminal.WriteString("y\n"); err != nil {
			return fmt.Errorf("at %q: %w", s.line, err)
		}
		var rest string
		rest, _, err = b.until(ctx, patience, ready)
		out += s.question + rest
	}
	out = plain(out)
	if !s.hidden {
		fmt.Print("$ " + out)
		b.shown.WriteString(out)
	}
	if err != nil {
		return fmt.Errorf("at %q: %w", s.line, err)
	}
	for _, p := range s.promised {
		if regexp.MustCompile(p.pattern).MatchString(out) == p.not {
			return fmt.Errorf("at %q: %s was promised, and it is not so", s.line, p.what)
		}
	}
	return nil
}

// showsNoSecret looks for the lines of a file in what was shown.
func (b *bash) showsNoSecret(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for secret := range strings.Lines(string(text)) {
		secret = strings.TrimSuffix(secret, "\n")
		if len(secret) < 20 {
			return errors.New("a secret variable was empty while loaded")
		}
		if strings.Contains(b.shown.String(), secret) {
			return errors.New("a secret was shown")
		}
	}
	return nil
}

// plain is a terminal's output as a file has it, without the "$ " that stands
// between the marker and the echo of what was typed.
func plain(out string) string {
	return strings.ReplaceAll(strings.TrimPrefix(out, "$ "), "\r\n", "\n")
}
