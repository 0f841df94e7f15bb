// Command ambit-hook is what a prompt runs: it prints what a shell has to change
// because of where it is, and nothing while nothing has changed.
//
// It links as little as it can, for it starts often, and nothing that opens a
// socket: what needs more is done by the program ambit, which it starts.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"ambit/hook"
	_ "ambit/hook/stack"
	"ambit/shells"
)

const usage = `usage: ambit-hook bash|zsh|fish [typed]
       ambit-hook prompt

Prints what the shell has to change at this prompt, or before a command that was
typed. The hook that "ambit hook SHELL" prints runs it; there is no need to type it.

With "prompt", prints a segment for prompts, such as "shop/dev 42m": what is
loaded, and how long its credentials live or that they have expired; "not loaded"
where the shell was told why; nothing where there is nothing. It reads nothing but
the variables that ambit sets.

Example:
  PS1='$(ambit-hook prompt) \w \$ '
`

// version is set when a release is built, as that of ambit is.
var version = "(devel)"

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) (status int) {
	defer func() {
		// A stack trace would stand in front of every prompt, and may show values.
		if recover() != nil {
			fmt.Fprintln(os.Stderr, "ambit: error: ambit-hook failed, which is a bug; nothing was changed")
			status = 1
		}
	}()
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
		fmt.Print(usage)
		return 0
	}
	if len(args) == 1 && args[0] == "--version" {
		fmt.Println("ambit-hook", version)
		return 0
	}
	if len(args) == 1 && args[0] == "prompt" {
		return prompt()
	}
	typed := len(args) == 2 && args[1] == "typed"
	if len(args) != 1 && !typed {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	shell, err := shells.Parse(args[0])
	if err != nil {
		fmt.Fprintf(os.Stderr, "ambit: error: %v\n", err)
		return 2
	}
	return hook.Run(hook.Process{
		Shell: shell, Typed: typed, Env: os.Environ(), UID: os.Geteuid(), GID: os.Getegid(), Terminal: hook.Terminal, Now: time.Now,
		Stdout: os.Stdout, Stderr: os.Stderr, Resolver: resolver, Interrupt: interrupt,
	})
}

// prompt prints the segment for a person's prompt.
func prompt() int {
	text := hook.Segment(os.LookupEnv, time.Now())
	if text == "" {
		return 0
	}
	if _, err := os.Stdout.WriteString(text + "\n"); err != nil {
		return 1 // whoever draws the prompt has gone
	}
	return 0
}

// resolver is the program ambit beside this one, or none.
func resolver() []string {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	path := filepath.Join(filepath.Dir(self), "ambit")
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	return []string{path}
}

// interrupt begins to listen. Only a prompt that waits does, for it costs as much
// as half of the rest.
func interrupt() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGTERM)
	return c
}
