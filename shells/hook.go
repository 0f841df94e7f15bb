package shells

import (
	"bytes"
	_ "embed"
	"strings"
)

var (
	//go:embed hook.bash
	hookBash string
	//go:embed hook.zsh
	hookZsh string
	//go:embed hook.fish
	hookFish string
)

// Hook returns the text that a shell's startup file evaluates: the assignment of
// command to the list __ambit_bin, then the shell's hook file. The hook appends
// the shell's name to command and runs it; command[0] is an absolute path, and no
// word contains NUL. In a non-interactive shell the text does nothing but assign.
//
// Lines of comment are left out: zsh with other histchars, and bash without
// interactive_comments, would run them.
func (s Shell) Hook(command []string) string {
	var b bytes.Buffer
	s.assignList(&b, "bin", command)
	for line := range strings.Lines(s.hookFile()) {
		if text := strings.TrimSpace(line); text != "" && !strings.HasPrefix(text, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func (s Shell) hookFile() string {
	switch s {
	case Bash:
		return hookBash
	case Zsh:
		return hookZsh
	}
	return hookFish
}
