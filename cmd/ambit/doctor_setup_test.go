package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ambit/shells"
)

func TestStartupFiles(t *testing.T) {
	current := func(s shells.Shell) string { return s.Hook([]string{"/opt/bin/ambit-hook"}) }
	const gone = `eval "$("$HOME/gone/ambit" hook bash)"` + "\n"
	for _, test := range []struct {
		name     string
		shell    shells.Shell
		files    map[string]string
		installs string   // places, joined
		odd      []string // what is said, in this order
	}{
		{"none", "bash", map[string]string{".bashrc": "true\n"}, "", nil},
		{"bash", "bash", map[string]string{".bashrc": "true\neval \"$(ambit hook bash)\"\n"}, "~/.bashrc:2", nil},
		{"commented out", "bash", map[string]string{".bashrc": "  # eval \"$(ambit hook bash)\"\n"}, "", nil},
		{"zsh", "zsh", map[string]string{".zshrc": `eval "$(~/bin/ambit hook zsh)"`}, "~/.zshrc:1", []string{"~/bin/ambit, which is no program"}},
		{"fish", "fish", map[string]string{".config/fish/conf.d/a.fish": "ambit hook fish | source\n"}, "~/.config/fish/conf.d/a.fish:1", nil},
		{"sourced", "bash", map[string]string{".bashrc": `[ -f ~/.more ] && . ~/.more`, ".more": `eval "$(ambit hook bash)"`}, "~/.more:1", nil},
		{"sources itself", "bash", map[string]string{".bashrc": ". ~/.bashrc\n"}, "", nil},
		{"a copy", "bash", map[string]string{".bashrc": "source $HOME/.hook\n", ".hook": current("bash")}, "~/.hook:1", nil},
		{"a copy of zsh", "zsh", map[string]string{".zshrc": "source ~/.hook\n", ".hook": current("zsh")}, "~/.hook:1", nil},
		{"a copy of fish", "fish", map[string]string{".config/fish/config.fish": "true\n" + current("fish")}, "~/.config/fish/config.fish:2", nil},
		{"an old copy", "bash", map[string]string{".bashrc": strings.Replace(current("bash"), "__ambit_outside", "__ambit_beyond", 1)}, "~/.bashrc:1", []string{"is a copy of another version's hook"}},
		{"another shell's", "zsh", map[string]string{".zshrc": `eval "$(ambit hook bash)"`}, "", []string{"installs the hook of bash in a start-up file of zsh"}},
		{"no such program", "bash", map[string]string{".bashrc": gone}, "~/.bashrc:1", []string{"~/gone/ambit, which is no program"}},
		{"twice", "bash", map[string]string{".bashrc": "eval \"$(ambit hook bash)\"\neval \"$(ambit hook bash)\"\n"}, "~/.bashrc:1 ~/.bashrc:2", []string{"~/.bashrc:2 installs the hook once more, after line 1"}},
		{"replaced", "bash", map[string]string{".bashrc": "eval \"$(ambit hook bash)\"\nPROMPT_COMMAND='history -a'\n"}, "~/.bashrc:1", []string{"~/.bashrc:2 throws away what line 1"}},
		{"kept", "bash", map[string]string{".bashrc": "PROMPT_COMMAND=x\neval \"$(ambit hook bash)\"\nPROMPT_COMMAND=\"x;$PROMPT_COMMAND\"\n"}, "~/.bashrc:2", nil},
		{"replaced in zsh", "zsh", map[string]string{".zshrc": "eval \"$(ambit hook zsh)\"\nprecmd_functions=(x)\n"}, "~/.zshrc:1", []string{"throws away"}},
		{"hijacked", "bash", map[string]string{".bashrc": "builtin() { :; }\nalias builtin=x\n"}, "", []string{"a function named builtin", "an alias named builtin"}},
		{"a word like it", "bash", map[string]string{".bashrc": "builtin cd; notbuiltin() { :; }\nmyambit hooks bash\n"}, "", nil},
		{"binary", "bash", map[string]string{".bashrc": "\x00\xff\xfe. \x00/etc\n"}, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := homeWith(t, test.files)
			var files []startupFile
			for _, f := range p.startupFiles(test.shell) {
				if strings.HasPrefix(f.path, p.places.Home) { // not this machine's
					files = append(files, f)
				}
			}
			if got := strings.Join(p.installs(files, test.shell), " "); got != test.installs {
				t.Errorf("installed at %q, wanted %q", got, test.installs)
			}
			for _, f := range files {
				p.oddities(test.shell, f)
			}
			if len(p.findings) != len(test.odd) {
				t.Fatalf("%d findings: %+v", len(p.findings), p.findings)
			}
			for i, f := range p.findings {
				if f.Check != "hook" || f.Status != "warn" || f.Fix == "" || !strings.Contains(f.Evidence, test.odd[i]) {
					t.Errorf("%+v lacks %q", f, test.odd[i])
				}
			}
		})
	}
}

// zsh reads the files of ZDOTDIR, and not those of the home directory.
func TestStartupFilesOfZDOTDIR(t *testing.T) {
	p := homeWith(t, map[string]string{".zshrc": "eval \"$(ambit hook zsh)\"\n", "z/.zshrc": "true\n"})
	if got := p.installs(p.startupFiles("zsh"), "zsh"); len(got) != 1 {
		t.Errorf("without ZDOTDIR: %q", got)
	}
	p.environ["ZDOTDIR"] = p.places.Home + "/z"
	if got := p.installs(p.startupFiles("zsh"), "zsh"); len(got) != 0 {
		t.Errorf("with it: %q", got)
	}
	if got := p.installing("zsh"); !strings.Contains(got, ">> ~/z/.zshrc && ") {
		t.Errorf("to install: %s", got)
	}
}

// What is typed to install the hook leaves the lines that are there as they are.
func TestInstalling(t *testing.T) {
	for _, test := range []struct {
		shell shells.Shell
		files map[string]string
		want  string
	}{
		{"bash", nil, `printf '%s\n' 'eval "$(ambit hook bash)"' >> ~/.bashrc && eval "$(ambit hook bash)"`},
		{"bash", map[string]string{".bashrc": "no end"}, `printf '\n%s\n' 'eval "$(ambit hook bash)"' >> ~/.bashrc && eval "$(ambit hook bash)"`},
		{"zsh", map[string]string{".zshrc": "x\n"}, `printf '%s\n' 'eval "$(ambit hook zsh)"' >> ~/.zshrc && eval "$(ambit hook zsh)"`},
		{"fish", nil, `mkdir -p ~/.config/fish && printf '%s\n' 'ambit hook fish | source' >> ~/.config/fish/config.fish && ambit hook fish | source`},
	} {
		p := homeWith(t, test.files)
		got := strings.ReplaceAll(p.installing(test.shell), "/opt/bin/ambit", "ambit") // where PATH has none
		if got != test.want {
			t.Errorf("%s:\n%s, wanted\n%s", test.shell, got, test.want)
		}
	}
}

// The program of the prompt is the one that belongs to this program.
func TestHookProgram(t *testing.T) {
	defer func(was string) { version = was }(version)
	for _, test := range []struct {
		name, script, version string
		want                  string // in the only finding, or "" for none
	}{
		{"missing", "", "", "there is no ambit-hook beside"},
		{"old", "echo usage >&2; exit 2", "1.2.3", "is of an older version than ambit 1.2.3"},
		{"another program", "echo hello", "1.2.3", "is of an older version"},
		{"other release", "echo ambit-hook 1.2.2", "1.2.3", "is of version 1.2.2 and ambit of 1.2.3"},
		{"same release", "echo ambit-hook 1.2.3", "1.2.3", ""},
		{"a build of somebody's own", "echo 'ambit-hook (devel)'", "", ""},
		{"hostile", `printf 'ambit-hook %0500d\033[2J' 7`, "1.2.3", "is of version 00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := homeWith(t, nil)
			p.self, version = filepath.Join(p.places.Home, "ambit"), test.version
			if test.script != "" {
				if err := os.WriteFile(filepath.Join(p.places.Home, "ambit-hook"), []byte("#!/bin/sh\n"+test.script+"\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			p.program()
			switch {
			case test.want == "" && len(p.findings) > 0, test.want != "" && len(p.findings) != 1:
				t.Fatalf("%+v", p.findings)
			case test.want != "" && (p.findings[0].Status != "warn" || !strings.Contains(p.findings[0].Evidence, test.want) || len(p.findings[0].Evidence) > 3*maxForeign):
				t.Errorf("%+v lacks %q", p.findings[0], test.want)
			}
		})
	}
}

// Where PATH finds another program, what doctor tells to type would run that.
func TestPathFindsThisProgram(t *testing.T) {
	p := homeWith(t, map[string]string{"a/ambit": "one", "b/ambit": "two", "c/ambit": "one"})
	for _, dir := range []string{"a", "b", "c"} {
		if err := os.Chmod(filepath.Join(p.places.Home, dir, "ambit"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.self = filepath.Join(p.places.Home, "a", "ambit")
	for _, test := range []struct{ path, status, want string }{
		{"a", "ok", "PATH finds ~/a/ambit"},
		{"c", "ok", "PATH finds ~/c/ambit"}, // a copy
		{"b", "warn", "PATH finds another ambit, ~/b/ambit"},
		{"none", "warn", "PATH finds no ambit"},
	} {
		t.Setenv("PATH", filepath.Join(p.places.Home, test.path))
		p.findings = nil
		p.path()
		if len(p.findings) != 1 || string(p.findings[0].Status) != test.status || !strings.Contains(p.findings[0].Evidence, test.want) {
			t.Errorf("%s: %+v", test.path, p.findings)
		} else if test.status == "warn" && p.findings[0].Fix != "export PATH="+filepath.Dir(p.self)+`:"$PATH"` {
			t.Errorf("%s: fix: %s", test.path, p.findings[0].Fix)
		}
	}
}
