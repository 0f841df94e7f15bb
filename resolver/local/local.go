// Package local has the providers that only look at this machine: [Env] gives a
// variable, [File] a file and [Dotenv] the assignments of one. They run nothing and
// ask nobody. What they read has no times and is never kept: a change of it is the
// reason to look again.
package local

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"ambit/resolver"
	"ambit/resolver/safefile"
)

var (
	text    = &resolver.Schema{Types: []string{"string"}}
	boolean = &resolver.Schema{Types: []string{"boolean"}}
	path    = &resolver.Schema{Types: []string{"string"}, Pattern: `(?s).+`, PatternSay: "a path", Path: true}
)

func object(required string, properties map[string]*resolver.Schema) *resolver.Schema {
	return &resolver.Schema{Types: []string{"object"}, Required: []string{required}, Properties: properties}
}

// read reads the file that an input names. What is opened notes the file in any
// case: that it appears, or can be read, is a reason to look again.
func read(in resolver.Value) ([]byte, resolver.Opened, error) {
	o := resolver.Opened{Files: []string{in.Text}}
	b, err := safefile.Read(in.Text)
	if err == nil {
		return b, o, nil
	}
	open := &resolver.OpenError{Path: []string{"path"}, Err: err}
	var why *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		open.Summary = named(in) + " does not exist"
		return nil, o, open
	case errors.Is(err, safefile.ErrNotRegular), errors.Is(err, safefile.ErrTooLarge):
		open.Summary = fmt.Sprintf("%s %v", named(in), errors.Unwrap(err))
	case errors.As(err, &why):
		open.Summary = fmt.Sprintf("%s cannot be read: %v", named(in), why.Err)
	default:
		open.Summary = named(in) + " cannot be read"
	}
	// Nobody can see when it becomes readable, so it is tried again after a while.
	open.Kind = resolver.KindRefused
	return nil, o, open
}

// named is a file in a message.
func named(in resolver.Value) string {
	if in.Secret {
		return "the file"
	}
	return "the file " + strconv.Quote(in.Text)
}

// unreadable is an error about what a file says.
func unreadable(in resolver.Value, err error) error {
	open := &resolver.OpenError{Path: []string{"path"}, Summary: fmt.Sprintf("%s: %v", named(in), err), Err: err}
	var data *resolver.DataError
	if errors.As(err, &data) {
		open.Summary, open.Hint = fmt.Sprintf("%s, %v", named(in), data), data.Hint
	}
	return open
}
