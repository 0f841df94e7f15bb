package resolver

import "time"

// Command is a program that a provider needs run. It gets the baseline as its
// environment, no shell, no terminal and a process group of its own.
type Command struct {
	Argv    []string // Argv[0]: a path, relative to Dir, or a name to be looked up in the baseline's PATH
	Dir     string   // working directory, absolute
	Stdin   []byte
	Env     *Baseline
	Timeout time.Duration // after which its process group is killed; zero: only the context ends it
}
