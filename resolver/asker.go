package resolver

import "context"

// Asker is the person at the terminal, as providers reach them. Only `ambit
// login` hands one in; without it, what needs a person is an [OpenError] of
// [KindLogin]. Its methods may be called from several opens at once, and ask one
// thing at a time. They return ctx's error when it ends first.
type Asker interface {
	// Visit sends the person to an address, to log in to what is named there,
	// such as `"work"` or "IAM Identity Center at https://…". It returns once a
	// browser has been started or the address shown.
	Visit(ctx context.Context, what, address string) error

	// Enter sends the person to an address where they have to enter a code.
	Enter(ctx context.Context, what, address, code string) error

	// Device says whether the login has to go by a code on another device,
	// because no browser here can come back to this machine.
	Device() bool

	// MFA returns the code of six digits that the MFA device shows now.
	MFA(ctx context.Context, serial string) (string, error)

	// Say tells the person something that is no error.
	Say(text string)
}
