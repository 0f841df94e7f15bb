package main

import (
	"os"
	"strings"
	"testing"
)

// The settings that README.md shows are all valid, each block by itself.
func TestReadmeSettings(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(b), "```yaml\n# ~/.config/ambit/config.yaml\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	logins := 0
	for _, block := range blocks {
		text, _, _ := strings.Cut(block, "```")
		p := &configParser{config: &config{}, home: "/home/me", path: "config.yaml"}
		p.parse([]byte(text))
		for _, m := range p.faults {
			t.Errorf("%s:%d: %s\n%s", m.Place.File, m.Place.Line, m.Text, text)
		}
		logins += len(p.logins)
	}
	if logins == 0 {
		t.Error("there is no login")
	}
}
