package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"ambit/resolver"
	"ambit/resolver/safefile"
)

func envSetCommand(a *ambit) *cobra.Command {
	var secret, plaintext, text bool
	cmd := &cobra.Command{
		Use:   "set NAME|FILE PATH [VALUE]",
		Short: "write a value into an environment",
		Long: `Write VALUE at PATH below values. What the path lacks is made; the rest of the
file stays as it is, comments included.

VALUE is null, a boolean or a number if it reads as one, YAML if it begins with
[, { or a quote, else a string; ${…} in it refers to other values. With --string
it is a string whatever it is. A VALUE of - is read from stdin, less one line
break at its end, as a string; without VALUE it is asked for on the terminal and
not shown. So a secret need not stand on the command line.

With --secret the text, taken literally, is encrypted for the recipients that
"ambit env recipients" lists. A value that is secret stays so, and one that looks
like a secret is refused, unless --plaintext.`,
		Example: `  ambit env set shop/dev environmentVariables.LOG_LEVEL debug
  ambit env set shop/dev 'servers[0]["host.name"]' db.example.com
  pass show db | ambit env set shop/dev db.password - --secret`,
		Args:              between(2, 3),
		ValidArgsFunction: a.completeNames(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if secret && plaintext {
				return usageError{"--secret and --plaintext do not go together", "choose one"}
			}
			ctx, stop := a.interruptible()
			defer stop()
			return runEnvSet(ctx, a, args[0], args[1], args[2:], secret, plaintext, text)
		},
	}
	cmd.Flags().BoolVar(&secret, "secret", false, "encrypt the value")
	cmd.Flags().BoolVar(&plaintext, "plaintext", false, "write the value in clear, even if it is or looks secret")
	cmd.Flags().BoolVar(&text, "string", false, "take the value as a string")
	return cmd
}

func runEnvSet(ctx context.Context, a *ambit, arg, path string, values []string, secret, plaintext, text bool) error {
	a.unharden = harden()
	if _, err := a.source(arg); err != nil {
		return err // before anybody is asked for a value
	}
	value := ""
	switch {
	case len(values) == 1 && values[0] != "-":
		value = values[0]
	default:
		var err error
		if value, err = a.readValue(ctx, path, len(values) == 1); err != nil {
			return err
		}
		text = true
	}
	to := ""
	s, changed, err := a.change(ctx, arg, func(s *source) ([]byte, error) {
		encrypt := secret || !plaintext && resolver.KeptSecret(s.path, s.bytes, path)
		if !encrypt && !plaintext && looksSecret(value) {
			return nil, withHint(errors.New("the value looks like a secret"), "add --secret to encrypt it, or --plaintext if it is none")
		}
		w, names, err := a.written(s, value, encrypt, text)
		if to = names; err != nil {
			return nil, err
		}
		return resolver.SetValue(s.path, s.bytes, path, w)
	})
	if err != nil {
		return err
	}
	if !changed {
		a.say(plain(fmt.Sprintf("%s: %s is that already", s.title(a), path)))
		return nil
	}
	a.say(plain(fmt.Sprintf("%s: %s set%s", s.title(a), path, to)))
	return nil
}

// written is a value in the form in which it is to stand in the file, and for
// whom it is encrypted.
func (a *ambit) written(s *source, value string, encrypt, text bool) (w resolver.Written, to string, err error) {
	switch {
	case encrypt:
		r, err := a.recipientsOf(s)
		if err != nil {
			return w, "", err
		}
		var names []string
		for _, one := range r.list {
			names = append(names, one.Title())
		}
		ciphertext, err := resolver.Encrypt([]byte(value), r.list)
		return resolver.WrittenSecret(ciphertext), ", encrypted for " + strings.Join(names, ", "), err
	case text:
		if w, err = resolver.WrittenText(value); err != nil {
			return w, "", withHint(fmt.Errorf("the value is %w", err), "only a secret can hold any bytes: add --secret")
		}
		return w, "", nil
	}
	if w, err = resolver.WrittenValue(value); err != nil {
		return w, "", withHint(err, "add --string to take it as it is")
	}
	return w, "", nil
}

// readValue reads a value from stdin, or asks for it on the terminal.
func (a *ambit) readValue(ctx context.Context, path string, fromStdin bool) (string, error) {
	if !fromStdin {
		text, err := askUnseen(ctx, fmt.Sprintf("value of %s (it is not shown): ", path))
		if errors.Is(err, errNoTerminal) {
			return "", usageError{"there is no value, and no terminal to ask on", "write - to read the value from stdin"}
		}
		return text, err
	}
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(a.stdin, safefile.MaxSize+1))
		got <- answer{b, err}
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case in := <-got:
		switch {
		case in.err != nil:
			return "", fmt.Errorf("cannot read the value: %s", reason(in.err))
		case len(in.text) > safefile.MaxSize:
			return "", errors.New("the value is larger than 1 MiB")
		}
		text := strings.TrimSuffix(string(in.text), "\n")
		return strings.TrimSuffix(text, "\r"), nil
	}
}

var (
	secretForm = late(`-----BEGIN [A-Z ]*PRIVATE KEY-----|^AGE-SECRET-KEY-|^(gh[pousr]|github_pat|glpat|xox[abprs]|sk_live|rk_live|sk-ant)[-_]|^eyJ[A-Za-z0-9_-]+\.eyJ`)
	oneToken   = late(`^[A-Za-z0-9+/_=-]{20,}$`)
	plainForm  = late(`^[0-9a-fA-F-]+$|^[a-z0-9_-]+$|^[A-Z0-9_-]+$|^[A-Z]?[a-z]+([A-Z][a-z]+)+$`)
)

// looksSecret guesses whether a value is a key or a token: it begins as the
// known ones do, or is one long word of letters and digits that look drawn by
// chance. Names, hashes, paths and URLs do not.
func looksSecret(value string) bool {
	value = strings.TrimSpace(value)
	if secretForm().MatchString(value) {
		return true
	}
	if !oneToken().MatchString(value) || plainForm().MatchString(value) || strings.HasPrefix(value, "/") {
		return false
	}
	counts := map[rune]int{}
	for _, r := range value {
		counts[r]++
	}
	bits := 0.0
	for _, n := range counts {
		p := float64(n) / float64(len(value))
		bits -= p * math.Log2(p)
	}
	return bits > 4 && strings.ContainsAny(value, "0123456789")
}
