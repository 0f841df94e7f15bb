package shells

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

func TestHooksPassTheLinters(t *testing.T) {
	for _, command := range [][]string{
		{"shellcheck", "hook.bash"}, {"bash", "-n", "hook.bash"}, {"zsh", "-n", "hook.zsh"}, {"fish", "-n", "hook.fish"},
	} {
		need(t, command[0])
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v: %v\n%s", command, err, out)
		}
	}
	if _, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(hookBash), "hook.bash"); err != nil {
		t.Error(err)
	}
}

// bash 3.2 refuses a whole file for one of these, wherever it stands.
func TestHookBashHasNoNewSyntax(t *testing.T) {
	for line := range strings.Lines(hookBash) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, syntax := range []string{"[[ -v ", "[[ -R ", "&>>", "|&", ";;&", ";&", "coproc", "-A ", "${|"} {
			if strings.Contains(line, syntax) {
				t.Errorf("%q in %q", syntax, line)
			}
		}
	}
}

// A script that sources a startup file must not notice: no output, no error and,
// but for the list of the command, no name.
func TestHookIsSilentAndIdleInScripts(t *testing.T) {
	f := newFake(t)
	for s, args := range map[Shell][]string{
		Bash: {"--norc", "--noprofile", "-euo", "pipefail", "-c"}, Zsh: {"-f", "-eu", "-c"}, Fish: {"--no-config", "-c"},
	} {
		t.Run(string(s), func(t *testing.T) {
			program := need(t, string(s))
			text := s.Hook([]string{f.program()})
			text += text + s.defined() + "\ncd /\n"
			var stderr bytes.Buffer
			cmd := exec.Command(program, append(args, text)...)
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil || stderr.Len() > 0 || strings.TrimSpace(string(out)) != "__ambit_bin" {
				t.Errorf("%v\n%s%s", err, out, stderr.String())
			}
			if n := f.calls(t); n > 0 {
				t.Errorf("ran %d times", n)
			}
		})
	}
}

// An interactive shell that is told to stop at the first error does not.
func TestHookIsSilentInStrictShells(t *testing.T) {
	f := newFake(t)
	f.answer(t, nil, 1)
	for s, strict := range map[Shell]string{Bash: "set -euo pipefail", Zsh: "set -eu", Fish: "true"} {
		t.Run(string(s), func(t *testing.T) {
			program := need(t, string(s))
			text := s.Hook([]string{f.program()})
			text = strict + "\n" + text + text + "cd /\n__ambit_hook\n__ambit_hook\necho end\n"
			cmd := exec.Command(program, append(s.interactive(), text)...)
			out, err := cmd.CombinedOutput()
			if err != nil || withoutJobControl(string(out)) != "end\n" {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// withoutJobControl drops what an interactive bash says where it has no terminal.
func withoutJobControl(out string) string {
	var kept strings.Builder
	for line := range strings.Lines(out) {
		switch {
		case strings.HasPrefix(line, "bash: cannot set terminal process group"), strings.HasPrefix(line, "bash: no job control"):
		case strings.Contains(line, "getcwd() failed"): // the fake command's own shell
		default:
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// defined lists the names with __ambit that the shell knows.
func (s Shell) defined() string {
	switch s {
	case Bash:
		return "{ compgen -v; compgen -A function; } | grep __ambit || :"
	case Zsh:
		return "zmodload zsh/parameter; print -l ${(k)parameters} ${(k)functions} | grep __ambit || :"
	}
	return "begin; set -n; functions -a -n | string split ,; end | string match '*__ambit*'; or true"
}

func TestCommentsStandOnLinesOfTheirOwn(t *testing.T) {
	for _, s := range all {
		for line := range strings.Lines(s.Hook([]string{"/x"})) {
			if strings.Contains(line, " # ") || strings.HasPrefix(line, "#") {
				t.Errorf("%s: %q", s, line)
			}
		}
	}
}
