package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ambit/resolver/aws/doctor"
	"ambit/resolver/safefile"
	"ambit/shells"
)

// startupFile is a file that a shell runs when it starts.
type startupFile struct {
	path  string
	lines []string
}

// The bounds of following one start-up file to those that it sources.
const (
	maxStartupFiles = 64
	maxSourceDepth  = 3
)

// startupFiles are those of an interactive shell that exist, and those that they
// source by a path that can be read off; in the order in which they are read.
func (p *setup) startupFiles(shell shells.Shell) []startupFile {
	var roots []string
	home := func(names ...string) {
		for _, name := range names {
			if p.places.Home != "" {
				roots = append(roots, filepath.Join(p.places.Home, name))
			}
		}
	}
	switch shell {
	case shells.Bash:
		roots = append(roots, "/etc/profile", "/etc/bash.bashrc", "/etc/bashrc")
		home(".bash_profile", ".bash_login", ".profile", ".bashrc")
	case shells.Zsh:
		roots = append(roots, "/etc/zshenv", "/etc/zsh/zshenv", "/etc/zprofile", "/etc/zsh/zprofile", "/etc/zshrc", "/etc/zsh/zshrc")
		home(".zshenv")
		names := []string{".zshenv", ".zprofile", ".zshrc", ".zlogin"}
		if dir := p.environ["ZDOTDIR"]; filepath.IsAbs(dir) {
			for _, name := range names {
				roots = append(roots, filepath.Join(dir, name))
			}
		} else {
			home(names[1:]...)
		}
	case shells.Fish:
		dir := p.fishConfig()
		found, _ := filepath.Glob(filepath.Join(globSafe(dir), "conf.d", "*.fish")) // only a bad pattern is an error
		roots = append(append(roots, found...), filepath.Join(dir, "config.fish"))
	}
	var out []startupFile
	for _, path := range roots {
		out = p.follow(out, shell, path, 0)
	}
	return out
}

// globSafe takes the meaning from what filepath.Glob would read as a pattern.
func globSafe(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func (p *setup) fishConfig() string {
	if dir := p.environ["XDG_CONFIG_HOME"]; filepath.IsAbs(dir) {
		return filepath.Join(dir, "fish")
	}
	return filepath.Join(p.places.Home, ".config", "fish")
}

func (p *setup) follow(out []startupFile, shell shells.Shell, path string, depth int) []startupFile {
	if len(out) >= maxStartupFiles || slices.ContainsFunc(out, func(f startupFile) bool { return f.path == path }) {
		return out
	}
	b, err := safefile.Read(path)
	if err != nil {
		return out
	}
	f := startupFile{path, strings.Split(string(b), "\n")}
	out = append(out, f)
	if depth == maxSourceDepth {
		return out
	}
	for _, line := range f.lines {
		if m := sourcing().FindStringSubmatch(line); m != nil {
			if sourced := p.literalPath(m[1]); sourced != "" {
				out = p.follow(out, shell, sourced, depth+1)
			}
		}
	}
	return out
}

var (
	// sourcing is a line that reads another file, alone or after a test.
	sourcing = late(`(?:^|&&|\|\||;|\bthen\b)\s*(?:source|\.)\s+("[^"]*"|'[^']*'|[^\s;&|]+)`)
	// hooking is a line that installs ambit's hook; the program stands before it.
	hooking = late(`("[^"]*ambit"|'[^']*ambit'|[^\s"'(|;&]*ambit)\s+hook\s+(bash|zsh|fish)\b`)
	// copied is the first line of what `ambit hook` prints.
	copied = late(`^\s*(?:builtin set -g )?__ambit_bin[= ]`)

	functionBuiltin = late(`^\s*(?:function\s+builtin\b|builtin\s*\(\s*\))`)
	aliasBuiltin    = late(`^\s*alias\s+(?:-\w+\s+)*builtin[= ]`)

	replacesCommand   = late(`^\s*(?:export\s+|declare\s+\S+\s+)?PROMPT_COMMAND=(.*)`)
	replacesFunctions = late(`^\s*(?:typeset\s+\S+\s+)?precmd_functions=(.*)`)
)

// literalPath is the path that a word of a start-up file names, if that can be read
// off; "" if it depends on more than the home directory.
func (p *setup) literalPath(word string) string {
	word = strings.Trim(word, `"'`)
	for _, home := range []string{"~/", "$HOME/", "${HOME}/"} {
		if rest, ok := strings.CutPrefix(word, home); ok {
			word = p.places.Home + "/" + rest
		}
	}
	if dir := p.environ["ZDOTDIR"]; dir != "" {
		for _, name := range []string{"$ZDOTDIR/", "${ZDOTDIR}/"} {
			if rest, ok := strings.CutPrefix(word, name); ok {
				word = dir + "/" + rest
			}
		}
	}
	if !filepath.IsAbs(word) || strings.ContainsAny(word, "$`*?[") {
		return ""
	}
	return filepath.Clean(word)
}

func comment(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }

// installs are the places, FILE:LINE, at which a shell's hook is installed.
func (p *setup) installs(files []startupFile, shell shells.Shell) []string {
	var out []string
	for _, f := range files {
		for i, line := range f.lines {
			if comment(line) {
				continue
			}
			if m := hooking().FindStringSubmatch(line); m != nil && m[2] == string(shell) || copied().MatchString(line) {
				out = append(out, fmt.Sprintf("%s:%d", p.tilde(f.path), i+1))
				if !hooking().MatchString(line) {
					break // the rest of the copy
				}
			}
		}
	}
	return out
}

// oddities are what in a start-up file keeps the hook from working.
func (p *setup) oddities(shell shells.Shell, f startupFile) {
	const check = "hook"
	installed, isCopy := 0, false
	for i, line := range f.lines {
		if comment(line) {
			continue
		}
		at := fmt.Sprintf("%s:%d", p.tilde(f.path), i+1)
		if m := hooking().FindStringSubmatch(line); m != nil {
			program := p.literalPath(m[1])
			switch {
			case m[2] != string(shell):
				p.add(check, doctor.Warn, p.edit(f.path), "%s installs the hook of %s in a start-up file of %s", at, m[2], shell)
			case program != "" && !isProgram(program):
				p.add(check, doctor.Warn, p.edit(f.path), "%s runs %s, which is no program", at, p.tilde(program))
			case installed > 0:
				p.add(check, doctor.Warn, p.edit(f.path), "%s installs the hook once more, after line %d", at, installed)
			}
			installed = i + 1
		}
		if copied().MatchString(line) && !isCopy {
			isCopy = true
			p.copy(shell, f, at)
			installed = i + 1
		}
		if shell != shells.Fish && functionBuiltin().MatchString(line) {
			p.add(check, doctor.Warn, "unset -f builtin", "%s defines a function named builtin, which the hook cannot avoid", at)
		}
		if aliasBuiltin().MatchString(line) {
			p.add(check, doctor.Warn, "unalias builtin", "%s defines an alias named builtin", at)
		}
		if installed > 0 && replaces(shell, line) {
			p.add(check, doctor.Warn, p.edit(f.path), "%s throws away what line %d of it has installed: the hook has to come after", at, installed)
		}
	}
}

// copy checks a hook that was printed into a file, where it grows old.
func (p *setup) copy(shell shells.Shell, f startupFile, at string) {
	_, text, _ := strings.Cut(shell.Hook([]string{"/"}), "\n")
	if strings.Contains(strings.Join(f.lines, "\n"), strings.TrimSpace(text)) {
		return
	}
	fix := p.edit(f.path)
	if copied().MatchString(f.lines[0]) {
		fix = "ambit hook " + string(shell) + " > " + p.word(f.path)
	}
	p.add("hook", doctor.Warn, fix, "%s is a copy of another version's hook", at)
}

// replaces says whether a line sets anew the list in which the hook stands.
func replaces(shell shells.Shell, line string) bool {
	pattern, name := replacesCommand, "PROMPT_COMMAND"
	switch shell {
	case shells.Fish:
		return false
	case shells.Zsh:
		pattern, name = replacesFunctions, "precmd_functions"
	}
	m := pattern().FindStringSubmatch(line)
	return m != nil && !strings.Contains(m[1], name)
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// hijacked reports a function named builtin that was exported to this shell.
func (p *setup) hijacked() {
	for _, kv := range p.env {
		if strings.HasPrefix(kv, "BASH_FUNC_builtin%%=") {
			p.add("hook", doctor.Warn, "unset -f builtin", "a function named builtin is exported, which the hook cannot avoid")
		}
	}
}
