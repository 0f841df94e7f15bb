//go:build !linux

package main_test

import (
	"net/http"
	"regexp"
	"sync/atomic"
)

// land is a network namespace, which Linux alone has.
type land struct {
	names        atomic.Pointer[regexp.Regexp]
	mute, future atomic.Bool
	ca           string
	mounts       map[string]string
}

var knownNames *regexp.Regexp

func (w *world) abroad() *land {
	w.t.Helper()
	w.t.Skip("skipped: there are no network namespaces on this system")
	return nil
}

func (l *land) inside(f func())                        { f() }
func (l *land) command(argv []string) []string         { return argv }
func (l *land) answer(func(http.Handler) http.Handler) {}
func (l *land) ip(...string)                           {}
func (l *land) authorise()                             {}
func (l *land) ec2()                                   {}
func (l *land) ecs()                                   {}
func (l *land) swallow(string)                         {}
func (l *land) forward(string) string                  { return "" }
func (l *land) bundle() string                         { return "" }
