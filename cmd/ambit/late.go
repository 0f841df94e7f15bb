package main

import (
	"regexp"
	"sync"
)

// late is a regular expression that is compiled when it is first used: no other
// command is to wait for it.
func late(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
