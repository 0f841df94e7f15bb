package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

// block is a part of README.md between two fences.
type block struct {
	line int // of its first line
	kind string
	text string
}

func readme(t *testing.T) (text string, blocks []block) {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	must(t, err)
	open, start := "", 0
	var lines []string
	for i, line := range strings.Split(string(b), "\n") {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == "":
			open, start, lines = kind, i+2, nil
		case fence:
			blocks = append(blocks, block{start, open, strings.Join(lines, "\n") + "\n"})
			open = ""
		case open != "":
			lines = append(lines, line)
		}
	}
	return string(b), blocks
}

// Word by word: each YAML block becomes the file that its first line names, each
// transcript is typed into bash, and what comes is compared with what is printed.
func TestReadmeIsFollowed(t *testing.T) {
	need(t, "aws")
	_, blocks := readme(t)
	server, err := awstest.Start(awstest.Options{Now: time.Now})
	must(t, err)
	defer server.Close()
	h := newHouse(t)
	h.env["AWS_ENDPOINT_URL"] = server.URL
	h.write("home/.aws/config", "[default]\nregion = us-east-1\n[profile base]\nregion = us-east-1\n")
	h.write("home/.aws/credentials", "[base]\naws_access_key_id = "+awstest.KeyID+"\naws_secret_access_key = "+awstest.SecretKey+"\n")
	h.write("home/oidc-token", "token\n")
	h.write("home/shop/.envrc.yaml", "environment: shop/dev\n")
	h.write("home/team/environments/README", "")

	// The first transcript stands before the file that it shows the effect of.
	must(t, os.MkdirAll(h.path("home/web"), 0o755))
	for _, b := range blocks {
		if b.kind == "yaml" && strings.HasPrefix(b.text, "# ~/.config/ambit/environments/shop/dev.yaml\n") {
			h.file(t, b)
		}
	}
	tm := h.open("bash")
	played := 0
	for _, b := range blocks {
		switch b.kind {
		case "yaml":
			name := h.file(t, b)
			if name == "home/.config/ambit/config.yaml" {
				break
			}
			if r := h.ambit("check", h.path(name)); r.status != 0 || r.stderr != "" {
				t.Errorf("README.md:%d: ambit check says %d\n%s", b.line, r.status, r.stderr)
			}
		case "console":
			played++
			tm.play(b)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	if played < 3 {
		t.Errorf("only %d transcripts", played)
	}
	// The settings are there by now: a wrong one is an error of every command that
	// looks for an environment.
	if r := h.ambit("check", "web/test"); r.status != 0 || r.stderr != "" {
		t.Errorf("with the README's settings ambit check says %d\n%s", r.status, r.stderr)
	}
}

// file writes a YAML block and returns its name.
func (h *house) file(t *testing.T, b block) string {
	t.Helper()
	first, _, _ := strings.Cut(b.text, "\n")
	name, ok := strings.CutPrefix(first, "# ~/")
	if !ok {
		t.Fatalf("README.md:%d: the block does not begin with the name of its file", b.line)
	}
	name = filepath.Join("home", name)
	h.write(name, b.text)
	return name
}

// play types a transcript's lines. Where it shows the question of allow, the
// answer is typed when the question has come.
func (tm *terminal) play(b block) {
	tm.t.Helper()
	steps := strings.Split("\n"+strings.TrimSuffix(b.text, "\n"), "\n$ ")
	for _, step := range steps[1:] {
		line, rest, _ := strings.Cut(step, "\n")
		var want []string
		if rest != "" {
			want = strings.Split(rest, "\n")
		}
		tm.typeLine(line)
		out := ""
		if strings.Contains(rest, "[y/N] y") {
			out = tm.expect("[y/N] ")
			tm.typeLine("y")
		}
		tail, _ := tm.prompted()
		_, out, _ = strings.Cut(plain(out)+tail, "\n") // the line itself
		if !like(out, want) {
			tm.t.Fatalf("README.md:%d: %s\n got %q\nwant %q\n%s", b.line, line, lines(out), want, tm.transcript())
		}
	}
}

func TestReadmeLinks(t *testing.T) {
	text, blocks := readme(t)
	for _, b := range blocks {
		text = strings.Replace(text, b.text, "", 1) // other languages have brackets, too
	}
	n := 0
	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(m[1], "https://") {
			continue
		}
		n++
		if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
			t.Error(err)
		}
	}
	if n == 0 {
		t.Error("no links")
	}
}

// The table of commands has all of them, in any order, and no other.
func TestReadmeCommands(t *testing.T) {
	text, _ := readme(t)
	h := newHouse(t)
	_, help, _ := strings.Cut(h.ambit("--help").stdout, "Available Commands:\n")
	help, _, _ = strings.Cut(help, "\n\n")
	has := map[string]bool{"help": true, "completion": true}
	for _, m := range regexp.MustCompile("(?m)^\\| `ambit ([a-z-]+)").FindAllStringSubmatch(text, -1) {
		has[m[1]] = true
		if !regexp.MustCompile(`(?m)^  ` + m[1] + ` `).MatchString(help) {
			t.Errorf("README.md has ambit %s, the program has not", m[1])
		}
	}
	listed := regexp.MustCompile(`(?m)^  ([a-z-]+) `).FindAllStringSubmatch(help, -1)
	if len(listed) < 10 {
		t.Fatalf("the program lists %d commands", len(listed))
	}
	for _, m := range listed {
		if !has[m[1]] {
			t.Errorf("the program has ambit %s, README.md has not", m[1])
		}
	}
}
