package main_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
	syntax "ambit/shells"
)

// prompts are the blocks of README.md that set the prompt of a shell: the first
// runs ambit-hook, the last one no process at all.
func prompts(t *testing.T, sh shell) []block {
	t.Helper()
	_, blocks := readme(t)
	var out []block
	for _, b := range blocks {
		if b.kind == string(sh) && strings.HasPrefix(b.text, "# ~/"+strings.TrimPrefix(rcFile[sh].name, "home/")) {
			out = append(out, b)
		}
	}
	if len(out) != 2 {
		t.Fatalf("README.md has %d prompts for %s", len(out), sh)
	}
	return out
}

// shown types a line and waits for texts, one after the other.
func (tm *terminal) shown(line string, texts ...string) {
	tm.t.Helper()
	tm.typeLine(line)
	for _, text := range texts {
		tm.expect(text)
	}
}

// Word by word: the prompts of README.md show what is loaded, in real shells.
func TestReadmePrompts(t *testing.T) {
	inShells(t, func(t *testing.T, sh shell) {
		for i, b := range prompts(t, sh) {
			h := newHouse(t)
			h.env["TERM"] = "xterm-256color" // fish has no right prompt in a dumb terminal
			h.cloud()
			h.environment("web/plain", "values: { environmentVariables: { A: b } }\n")
			h.loaded("home/web", "environment: web/plain\n")
			h.project("home/new", "values: {}\n")
			file := h.write("home/prompt", b.text)
			tm := h.open(sh)
			tm.typeLine(". " + quoted(file) + "; echo rea''dy")
			tm.expect("ready")
			open, end, minutes := "[", "] ", " 5" // 59 or 58
			if sh == "fish" {
				open, end = "", ""
			}
			if sh == "fish" && i == 1 {
				minutes = ""
			}
			tm.shown("cd "+quoted(h.path("home/shop")), "loaded (", open+"shop/dev"+minutes)
			tm.shown("cd "+quoted(h.path("home/web")), "loaded (", open+"web/plain"+end)
			if i == 0 {
				tm.shown("cd "+quoted(h.path("home/new")), "to see what it would load", open+"not loaded"+end)
				tm.shown("cd "+quoted(h.path("home/web")), "loaded (", open+"web/plain"+end)
			}
			tm.shown("cd", "web/plain unloaded")
			tm.typeLine("echo la''st")
			if out := tm.expect("last"); strings.Contains(out, "[]") || strings.Contains(out, "web/plain") || strings.Contains(out, "not loaded") {
				t.Errorf("%s: outside of all the prompt shows %q", sh, out)
			}
		}
	})
}

// A directory may be called anything, and its name is that of its environment: it
// is shown, and nothing of it is run or reaches the terminal as it is.
func TestHostileSegment(t *testing.T) {
	const name = "$(touch pwned)`touch pwned`%F{red}!!\x1b[31mRED\n\\u\u202e"
	inShells(t, func(t *testing.T, sh shell) {
		for i, b := range prompts(t, sh) {
			h := newHouse(t)
			h.env["TERM"] = "xterm-256color"
			dir := h.loaded("home/"+name, "values: { environmentVariables: { A: b } }\n")
			h.write("home/cd", "cd ~/*RED*\n")
			file := h.write("home/prompt", b.text)
			tm := h.open(sh)
			tm.typeLine(". " + quoted(file) + "; echo rea''dy")
			tm.expect("ready")
			// What other prompts know: to expand what a variable says, and history.
			switch sh {
			case "bash":
				tm.typeLine("shopt -s promptvars; PS1=${PS1/'\\w'}; . ~/cd")
			case "zsh":
				tm.typeLine("setopt prompt_bang; PROMPT=${PROMPT/'%~'}; . ~/cd")
			case "fish":
				tm.typeLine("function fish_title; end; . ~/cd") // fish itself shows the name there, raw
			}
			want := syntax.PrintableSegment(name)[:37] + "..."
			if i == 1 {
				want = "??touch?pwned??touch?pwned??F?red????"
			}
			tm.expect(want)
			tm.typeLine("echo la''st")
			tm.expect("last")
			if strings.Contains(tm.transcriptRaw(), "\x1b[31mRED") {
				t.Errorf("%s: the name colours the terminal", sh)
			}
			for _, where := range []string{dir, h.home} {
				if _, err := os.Stat(filepath.Join(where, "pwned")); err == nil {
					t.Errorf("%s: the name was run", sh)
				}
			}
		}
	})
}

// transcriptRaw is all that came, as it came.
func (tm *terminal) transcriptRaw() string {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	return tm.text
}

// The segment of powerlevel10k: what its function is told, for the theme is not here.
func TestReadmePowerlevel(t *testing.T) {
	need(t, "zsh")
	_, blocks := readme(t)
	found := false
	for _, b := range blocks {
		if !strings.HasPrefix(b.text, "# ~/.p10k.zsh") {
			continue
		}
		found = true
		h := newHouse(t)
		h.env["AMBIT_STATE"], h.env["AMBIT_ENV"] = "1x", "shop/%n$(id)"
		h.env["AMBIT_EXPIRES"] = strconv.FormatInt(time.Now().Add(30*time.Minute).Unix(), 10)
		file := h.write("home/.p10k.zsh", b.text)
		script := "POWERLEVEL9K_RIGHT_PROMPT_ELEMENTS=(status); p10k() { print -r -- \"$@\" }; . " + file +
			" && print -r -- $POWERLEVEL9K_RIGHT_PROMPT_ELEMENTS && prompt_ambit"
		r := h.run("home", need(t, "zsh"), "-fc", script)
		if r.status != 0 || r.stdout != "status ambit\nsegment -f yellow -t shop/{25}n{24}(id) 30m\n" || r.stderr != "" {
			t.Errorf("%+v", r)
		}
		delete(h.env, "AMBIT_STATE")
		if r := h.run("home", need(t, "zsh"), "-fc", "p10k() { print no }; . "+file+"; prompt_ambit"); r.stdout != "" {
			t.Errorf("outside: %+v", r)
		}
	}
	if !found {
		t.Fatal("README.md has no such block")
	}
}

// What prints the segment opens no file of the user's and prints nothing where there
// is nothing, whatever stands in the directory.
func TestSegmentReadsNothing(t *testing.T) {
	strace := need(t, "strace")
	h := newHouse(t)
	h.project("home/shop", "values: {\n")
	h.env["AMBIT_STATE"], h.env["AMBIT_ENV"] = "1forged", "shop/dev"
	r := h.run("home/shop", strace, "-f", "-e", "trace=file,network,process", filepath.Join(built, "ambit-hook"), "prompt")
	if r.status != 0 || r.stdout != "shop/dev\n" {
		t.Fatalf("%+v", r)
	}
	for line := range strings.Lines(r.stderr) {
		if strings.Contains(line, h.home) && !strings.Contains(line, "execve(") || strings.Contains(line, "connect(") || strings.Contains(line, "socket(") {
			t.Errorf("%s", line)
		}
	}
	if !strings.Contains(r.stderr, "execve(") {
		t.Error("strace shows nothing")
	}
	delete(h.env, "AMBIT_STATE")
	delete(h.env, "AMBIT_ENV")
	if r := h.run("home/shop", filepath.Join(built, "ambit-hook"), "prompt"); r.status != 0 || r.stdout+r.stderr != "" {
		t.Errorf("outside: %+v", r)
	}
}

// Where credentials could not be renewed, the prompt says so.
func TestSegmentExpired(t *testing.T) {
	need(t, "bash")
	h := newHouse(t)
	s := h.cloud()
	tm := h.open("bash")
	tm.cd("home/shop", "ambit: shop/dev loaded (+6) · credentials for 59m")
	must(t, s.Update(func(k *awstest.Knobs) { k.Outage = awstest.Unavailable }))
	h.shift(2 * time.Hour)
	tm.run("cd .. ; cd shop")
	tm.want("ambit-hook prompt", "shop/dev expired")
}

// What shells calculate with is digits alone, whoever set the variable: an arithmetic
// expression can run programs.
func TestHostileExpiry(t *testing.T) {
	for _, sh := range []shell{"bash", "zsh"} {
		t.Run(string(sh), func(t *testing.T) {
			need(t, string(sh))
			h := newHouse(t)
			h.env["AMBIT_ENV"], h.env["AMBIT_EXPIRES"] = "a$(touch pwned)", "AMBIT[$(touch pwned)]"
			file := h.write("home/prompt", prompts(t, sh)[1].text)
			tm := h.open(sh)
			tm.typeLine(". " + quoted(file))
			tm.expect("[a??touch?pwned? -")
			tm.typeLine("echo la''st")
			tm.expect("last")
			if _, err := os.Stat(h.path("home/pwned")); err == nil {
				t.Errorf("%s: the variable was run", sh)
			}
		})
	}
}
