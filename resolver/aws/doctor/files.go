package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"ambit/resolver/safefile"
)

// A reader is a kind of program that looks for credentials. They disagree about
// order, names and what a file says.
type reader int

const (
	cli1  reader = iota // the AWS CLI v1 and boto3
	cli2                // the AWS CLI v2
	goSDK               // the SDKs that are not botocore's, as Go's
)

var readers = []reader{cli1, cli2, goSDK}

// python says whether a reader is botocore, or the copy of it in the AWS CLI v2.
func (r reader) python() bool { return r != goSDK }

// A file is one of the configuration: ~/.aws/config, ~/.aws/credentials, or what a
// variable names instead.
type file struct {
	path    string // "" where a variable is set to nothing: programs then take no file
	shown   string // for people: with ~ for the home directory
	content []byte // nil if there is none
	err     error  // why it could not be read, nil if it is absent
	absent  bool

	asPython, asGo *reading // of an absent or unreadable file: no sections
}

// by is what a reader takes the file for.
func (f *file) by(r reader) *reading {
	if r.python() {
		return f.asPython
	}
	return f.asGo
}

// at is a place in the file, for people.
func (f *file) at(line int) string { return fmt.Sprintf("%s:%d", f.shown, line) }

// unseen says whether programs read the file although the examination does not.
func (f *file) unseen() bool { return errors.Is(f.err, safefile.ErrTooLarge) }

// configuration are the two files as one reader finds them.
type configuration struct{ config, credentials *file }

// env is a variable's value, "" if it is not set.
func (x *examination) env(name string) string { return x.Environ[name] }

// has says whether a variable is set, be it to nothing.
func (x *examination) has(name string) bool { _, ok := x.Environ[name]; return ok }

// files are the configuration files that a reader opens.
func (x *examination) files(r reader) configuration {
	return configuration{
		config:      x.file(r, "AWS_CONFIG_FILE", "config"),
		credentials: x.file(r, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
	}
}

func (x *examination) file(r reader, variable, name string) *file {
	path := filepath.Join(x.Home, ".aws", name)
	if x.Home == "" {
		path = ""
	}
	// botocore takes an empty variable for no file, and expands the others.
	if value, ok := x.Environ[variable]; ok && (r.python() || value != "") {
		path = value
		if r.python() {
			path = x.expand(value)
		}
	}
	return x.open(path)
}

// expand replaces ~ and $NAME as botocore does.
func (x *examination) expand(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); {
		if path[i] != '$' {
			b.WriteByte(path[i])
			i++
			continue
		}
		end, braced := i+1, strings.HasPrefix(path[i:], "${")
		if braced {
			end++
		}
		from := end
		for end < len(path) && (path[end] == '_' || isLetter(path[end]) || isDigit(path[end])) {
			end++
		}
		name := path[from:end]
		if braced && end < len(path) && path[end] == '}' {
			end++
		} else if braced {
			name = ""
		}
		if value, ok := x.Environ[name]; ok && name != "" {
			b.WriteString(value)
		} else {
			b.WriteString(path[i:end])
		}
		i = end
	}
	out := b.String()
	if out == "~" || strings.HasPrefix(out, "~/") {
		out = x.Home + out[1:]
	}
	return out
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// open reads a file once.
func (x *examination) open(path string) *file {
	x.opening.Lock()
	defer x.opening.Unlock()
	if f := x.opened[path]; f != nil {
		return f
	}
	f := &file{path: path, shown: x.shorten(path)}
	if path == "" {
		f.absent = true
	} else if content, err := safefile.Read(path); errors.Is(err, fs.ErrNotExist) {
		f.absent = true
	} else {
		f.content, f.err = content, withoutPath(err)
	}
	f.asPython, f.asGo = readAsPython(f.content), readAsGo(f.content)
	if x.opened == nil {
		x.opened = map[string]*file{}
	}
	x.opened[path] = f
	return f
}

// shorten writes a path for people.
func (x *examination) shorten(path string) string {
	if rest, ok := strings.CutPrefix(path, x.Home+"/"); ok && x.Home != "" {
		return clip("~/" + rest)
	}
	return clip(path)
}

// withoutPath is an error of a file without its name.
func withoutPath(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
