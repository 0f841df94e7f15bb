// Package stack gives the main goroutine a stack that is large enough for a whole
// prompt, in one step. By itself it would grow in four, and each of them fills a
// cache of stacks of that size: a dozen page faults, a twentieth of what a prompt
// costs.
//
// It imports nothing, so it is initialised before every package that does, and its
// path is the first of them in byte order.
package stack

// room is what a prompt needs, in bytes.
const room = 14 << 10

var never [room]byte

func init() { grow(len(never) - room) }

// grow has a frame of that size, for the argument that it never passes; passing it
// would touch all of its pages.
//
//go:noinline
func grow(n int) {
	if n != 0 {
		take(never)
	}
}

//go:noinline
func take(b [room]byte) { never[0] = b[room-1] }
