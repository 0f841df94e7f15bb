package main

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"ambit/resolver/aws/doctor"
	"ambit/resolver/cache"
	"ambit/resolver/store"
)

// store checks the user's settings and the directories in which environments are
// kept.
func (p *setup) store() {
	const check = "store"
	stores, err := p.stores()
	if err != nil {
		var faults broken
		if errors.As(err, &faults) {
			p.faults(check, p.edit(p.places.ConfigFile()), faults)
			return
		}
		p.add(check, doctor.Fail, "unset AMBIT_STORES", "%s", err)
		return
	}
	said := p.environ["AMBIT_STORES"] != "" || p.conf.stores != nil
	for _, dir := range stores {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && said:
			p.add(check, doctor.Warn, "mkdir -p "+p.word(dir), "the store %s does not exist", p.tilde(dir))
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			p.add(check, doctor.Fail, "", "the store %s cannot be read: %s", p.tilde(dir), reason(err))
		case !info.IsDir():
			p.add(check, doctor.Fail, "", "the store %s is not a directory", p.tilde(dir))
		default:
			if err := p.owner.Check(dir); err != nil {
				p.add(check, doctor.Fail, p.closing(dir), "the store %s is not used: it %s", p.tilde(dir), reason(err))
			}
		}
	}
	names := store.NewDirectories(stores, p.owner).Names()
	p.well(check, "%s", plural(len(names), "environment"))
}

// faults notes what is wrong with a file, each with its place.
func (p *setup) faults(check, fix string, lines []cache.Message) {
	for i, m := range lines {
		if m.Level != "error" {
			continue
		}
		place, guess := "", ""
		if i+1 < len(lines) && lines[i+1].Level == "hint" && strings.HasPrefix(lines[i+1].Text, "did you mean ") {
			guess = "; " + bounded(lines[i+1].Text)
		}
		if m.Place.File != "" {
			place = p.tilde(m.Place.File)
			if m.Place.Line > 0 {
				place += ":" + strconv.Itoa(m.Place.Line) + ":" + strconv.Itoa(m.Place.Column)
			}
			place += ": "
		}
		p.add(check, doctor.Fail, fix, "%s%s%s", place, bounded(m.Text), guess)
	}
}

// edit is the command that opens a file for the person to mend.
func (p *setup) edit(path string) string {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		if editor := p.environ[name]; plainCommand().MatchString(editor) {
			return editor + " " + p.word(path)
		}
	}
	return "vi " + p.word(path)
}

// plainCommand is a command with options that every shell takes as it stands.
var plainCommand = late(`^[A-Za-z0-9_./+-]+(?: [A-Za-z0-9_./+=-]+)*$`)

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
