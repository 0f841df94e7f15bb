package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ambit/resolver"
	"ambit/resolver/safefile"
)

func envRecipientsCommand(a *ambit) *cobra.Command {
	var of string
	cmd := &cobra.Command{
		Use:   "recipients",
		Short: "list for whom secrets are encrypted",
		Long: `List for whom the secrets of this directory, or of NAME or FILE, are encrypted,
one key and its name a line. The list is the nearest file ` + resolver.RecipientsName + `
beside the definition or above it, up to the root of the store or repository.

The keys are age recipients (age1…) and SSH keys (ssh-ed25519, ssh-rsa). Who has
the private one puts it into ~/.config/ambit/identities (mode 0600); where that
file is missing, ~/.ssh/id_ed25519 serves if it needs no passphrase.`,
		Example: `  ambit env recipients
  ambit env recipients add age1… --name alice
  ambit env recipients add "$(cat ~/.ssh/id_ed25519.pub)" --for shop/dev
  ambit env recipients remove alice`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		ValidArgsFunction: noCompletion,
		RunE:              func(*cobra.Command, []string) error { return runRecipients(a, of) },
	}
	cmd.PersistentFlags().StringVar(&of, "for", "", "the list that counts for `NAME|FILE`, not the one for this directory")
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("for", a.completeNames(1))
	cmd.AddCommand(recipientsListCommand(a, &of), recipientsAddCommand(a, &of), recipientsRemoveCommand(a, &of))
	return cmd
}

func recipientsListCommand(a *ambit, of *string) *cobra.Command {
	return &cobra.Command{
		Use:               "list",
		Short:             "list for whom secrets are encrypted",
		Long:              "List for whom secrets are encrypted, one key and its name a line.",
		Example:           "  ambit env recipients list --for shop/dev",
		Args:              atMost(0),
		ValidArgsFunction: noCompletion,
		RunE:              func(*cobra.Command, []string) error { return runRecipients(a, *of) },
	}
}

func recipientsAddCommand(a *ambit, of *string) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "add KEY…",
		Short: "let further people decrypt the secrets",
		Long: `Add public keys to the list, which is made if there is none: at the root of the
store or of the repository. All secrets that it counts for are encrypted anew,
which takes an identity that can decrypt them; either all are, or none.

A key that is listed already is no error: the secrets are encrypted anew, as
after an edit of the list by hand.`,
		Example: `  ambit env recipients add age1… --name alice
  ambit env recipients add "$(cat ~/.ssh/id_ed25519.pub)"`,
		Args:              between(1, 100),
		ValidArgsFunction: noCompletion,
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			return runRecipientsAdd(ctx, a, *of, args, name)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the `NAME` of the key's owner, for messages")
	return cmd
}

func recipientsRemoveCommand(a *ambit, of *string) *cobra.Command {
	return &cobra.Command{
		Use:   "remove KEY|NAME…",
		Short: "encrypt the secrets for fewer people",
		Long: `Take keys from the list, by key or by name, and encrypt all secrets anew. Who
could read them before may have kept them, and can still read what is in the
history of a repository: change the secrets themselves too.`,
		Example: "  ambit env recipients remove alice",
		Args:    between(1, 100),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			r, err := a.recipients(*of)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, one := range r.list {
				names = append(names, printableWhole(one.Title()))
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			return runRecipientsRemove(ctx, a, *of, args)
		},
	}
}

// recipients is a list of public keys with the directory that it counts for.
type recipients struct {
	path  string // where it is, or would be made
	store string // root of the store in which it lies, or ""
	bytes []byte // nil: there is none yet
	list  []resolver.Recipient
}

// recipients is the list for an environment or a file; "" is for the current
// directory.
func (a *ambit) recipients(of string) (*recipients, error) {
	if of != "" {
		s, err := a.source(of)
		if err != nil {
			return nil, err
		}
		return a.readRecipients(s.path, s.store)
	}
	if a.dir == "" {
		return nil, errors.New("the current directory does not exist any more")
	}
	dir, err := filepath.EvalSymlinks(a.dir)
	if err != nil {
		return nil, fmt.Errorf("the current directory cannot be read: %s", reason(err))
	}
	stores, err := a.stores()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, resolver.FileName)
	r, err := a.readRecipients(file, a.storeOf(stores, file))
	if err != nil || r.bytes != nil || r.store != "" {
		return r, err
	}
	if _, gitErr := os.Lstat(filepath.Join(filepath.Dir(r.path), ".git")); isMissing(gitErr) {
		if _, fileErr := os.Lstat(file); isMissing(fileErr) {
			// It would be a list for nothing.
			return nil, withHint(fmt.Errorf("there is neither a store nor a repository nor a %s here", resolver.FileName),
				"say what it is for: --for NAME or --for FILE")
		}
	}
	return r, nil
}

// readRecipients reads the list that counts for a file.
func (a *ambit) readRecipients(file, store string) (*recipients, error) {
	path, top := resolver.RecipientsFile(file, store)
	if path == "" {
		return &recipients{path: filepath.Join(top, resolver.RecipientsName), store: store}, nil
	}
	// Whoever can change the list can read what is encrypted next.
	if err := a.checkOwner(path); err != nil {
		return nil, err
	}
	b, err := safefile.Read(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %s", a.short(path), reason(err))
	}
	list, diags := resolver.ParseRecipients(path, b)
	if len(diags) > 0 {
		return nil, broken(messages(diags))
	}
	if b == nil {
		b = []byte{}
	}
	return &recipients{path, store, b, list}, nil
}

// recipientsOf are those for whom a secret of a definition is to be encrypted.
func (a *ambit) recipientsOf(s *source) (*recipients, error) {
	r, err := a.readRecipients(s.path, s.store)
	if err != nil {
		return nil, err
	}
	if len(r.list) == 0 {
		return nil, withHint(fmt.Errorf("there is nobody to encrypt the secret for: %s has no key", a.short(r.path)),
			fmt.Sprintf("run %q with your age or SSH public key", "ambit env recipients add KEY --for "+s.title(a)))
	}
	return r, nil
}

func runRecipients(a *ambit, of string) error {
	r, err := a.recipients(of)
	if err != nil {
		return err
	}
	if r.bytes == nil {
		return withHint(fmt.Errorf("there are no recipients: %s does not exist", a.short(r.path)),
			`make it with "ambit env recipients add KEY"`)
	}
	for _, one := range r.list {
		line := one.Text
		if one.Name != "" {
			line += " " + one.Name
		}
		fmt.Fprintln(a.out, printableWhole(line))
	}
	return nil
}

func runRecipientsAdd(ctx context.Context, a *ambit, of string, keys []string, name string) error {
	if name != "" && (len(keys) > 1 || strings.ContainsAny(name, "\n\r")) {
		return usageError{"--name is the name of one key", "add the keys one by one"}
	}
	var added []resolver.Recipient
	for _, key := range keys {
		one, err := resolver.ParseRecipient(key)
		if err != nil {
			return withHint(fmt.Errorf("the argument %w", err), "an age key begins with age1; an SSH key is the text of the .pub file")
		}
		if name != "" {
			one.Name = name
		}
		if strings.ContainsAny(one.Name, "\n\r") {
			return usageError{"a key is one line", "add the keys one by one"}
		}
		added = append(added, one)
	}
	unlock, err := a.lockEdits(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	r, err := a.recipients(of)
	if err != nil {
		return err
	}
	list, text := slices.Clone(r.list), string(r.bytes)
	for _, one := range added {
		if slices.ContainsFunc(list, func(o resolver.Recipient) bool { return o.Text == one.Text }) {
			continue
		}
		list = append(list, one)
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		switch {
		case strings.HasPrefix(one.Text, "ssh-") && one.Name != "":
			text += one.Text + " " + one.Name + "\n"
		case one.Name != "":
			text += "# " + one.Name + "\n" + one.Text + "\n"
		default:
			text += one.Text + "\n"
		}
	}
	return a.putRecipients(ctx, r, list, []byte(text))
}

func runRecipientsRemove(ctx context.Context, a *ambit, of string, args []string) error {
	unlock, err := a.lockEdits(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	r, err := a.recipients(of)
	if err != nil {
		return err
	}
	gone := map[int]bool{}
	for _, arg := range args {
		one, parseErr := resolver.ParseRecipient(arg)
		n := 0
		var names []string
		for _, o := range r.list {
			names = append(names, o.Title())
			if parseErr == nil && o.Text == one.Text || o.Name != "" && o.Name == arg {
				n++
				gone[o.Line] = true
			}
		}
		switch {
		case n == 0:
			return withHint(fmt.Errorf("%q is no recipient of %s", arg, a.short(r.path)), orList(didYouMean(arg, names)))
		case n > 1 && parseErr != nil:
			return withHint(fmt.Errorf("%q is the name of %d recipients", arg, n), "remove each by its key")
		}
	}
	list := slices.DeleteFunc(slices.Clone(r.list), func(o resolver.Recipient) bool { return gone[o.Line] })
	if len(list) == 0 {
		return withHint(errors.New("nobody would be left to encrypt for"), "add the new recipient first")
	}
	var text []byte
	lines := slices.Collect(strings.Lines(string(r.bytes)))
	for i, line := range lines {
		// The comment right above a key is its name.
		named := i+1 < len(lines) && gone[i+2] && strings.HasPrefix(strings.TrimSpace(line), "#") && !strings.HasPrefix(lines[i+1], "ssh-")
		if !gone[i+1] && !named {
			text = append(text, line...)
		}
	}
	return a.putRecipients(ctx, r, list, text)
}

func orList(help string) string {
	if help == "" {
		return `run "ambit env recipients" for the list`
	}
	return help
}

// putRecipients writes a list and encrypts the secrets that it counts for anew.
// All of them are decrypted before anything is written.
func (a *ambit) putRecipients(ctx context.Context, r *recipients, list []resolver.Recipient, text []byte) error {
	a.unharden = harden()
	if _, err := resolver.Encrypt(nil, list); err != nil {
		return withHint(err, "age does not mix post-quantum recipients with others")
	}
	files, secrets, err := a.reencrypted(ctx, r, list)
	if err != nil {
		return err
	}
	if string(text) != string(r.bytes) || r.bytes == nil {
		if err := safefile.Replace(r.path, r.bytes, text, 0o644); err != nil {
			return fmt.Errorf("%s cannot be written: %s", a.short(r.path), reason(err))
		}
	}
	for i, f := range files {
		if err := a.replace(&f.source, f.after); err != nil {
			if i == 0 {
				return err
			}
			return withHint(fmt.Errorf("%w; %d of %d files are encrypted anew", err, i, len(files)), "mend that and run the command again")
		}
	}
	a.say(plain(fmt.Sprintf("%s: %s; %s encrypted anew", a.short(r.path), count(len(list), "recipient"), count(secrets, "secret"))))
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// renewed is a file with what it is to hold.
type renewed struct {
	source
	after []byte
}

// reencrypted are the definitions that a list counts for and that have encrypted
// secrets, with those secrets encrypted for the recipients.
func (a *ambit) reencrypted(ctx context.Context, r *recipients, list []resolver.Recipient) (out []renewed, secrets int, err error) {
	keys := a.identities()
	renew := func(ciphertext string) (string, error) {
		plaintext, err := keys.Decrypt(ciphertext)
		if err != nil {
			return "", err
		}
		return resolver.Encrypt(plaintext, list)
	}
	root := filepath.Dir(r.path)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && d != nil && d.IsDir():
			return fmt.Errorf("%s cannot be read: %s", a.short(path), reason(err))
		case err != nil:
			return err
		case d.IsDir():
			if path != root && (d.Name() == ".git" || !a.countsFor(r, path)) {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || filepath.Ext(path) != ".yaml":
			return nil
		}
		b, err := safefile.Read(path)
		if errors.Is(err, safefile.ErrTooLarge) {
			return nil // no definition is
		}
		if err != nil {
			return fmt.Errorf("%s cannot be read: %s", a.short(path), reason(err))
		}
		if !strings.Contains(string(b), "ciphertext") || !strings.Contains(string(b), "fn::secret") {
			return nil
		}
		after, n, err := resolver.Reencrypt(path, b, renew)
		if err != nil {
			return a.placed(err)
		}
		if n > 0 {
			secrets += n
			out = append(out, renewed{source{path: path, store: r.store, bytes: b}, after})
		}
		return nil
	})
	return out, secrets, err
}

// countsFor says whether a list still counts in a directory below its own: not
// where there is another, nor in another repository.
func (a *ambit) countsFor(r *recipients, dir string) bool {
	path, _ := resolver.RecipientsFile(filepath.Join(dir, resolver.FileName), r.store)
	return path == r.path || path == "" && r.bytes == nil && !a.otherRepository(r, dir)
}

// otherRepository says whether a directory is the root of a repository within
// the one that a new list is for.
func (a *ambit) otherRepository(r *recipients, dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ".git"))
	return r.store == "" && err == nil
}
