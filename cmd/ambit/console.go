package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ambit/resolver"
	"ambit/resolver/aws"
)

func consoleCommand(a *ambit) *cobra.Command {
	var show bool
	var destination string
	cmd := &cobra.Command{
		Use:   "console [NAME|FILE]",
		Short: "open the AWS console with the credentials of an environment",
		Long: `Sign in to the AWS console as the role of this directory's environment, or of
another, and open a browser there. No password is asked: whoever has the address
that AWS makes for this is signed in, for as long as the role allows. So no command
line shows it: the browser is started with an address of this machine that leads
there once. --print is for where no browser can be shown, as over SSH.

NAME is an environment PROJECT/NAME of the stores. FILE begins with ./, ../ or /,
or ends in .yaml; it has to be allowed.`,
		Example: `  ambit console
  ambit console shop/dev --destination s3
  ambit console --print | pbcopy`,
		Args:              atMost(1),
		ValidArgsFunction: a.completeName,
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := a.interruptible()
			defer stop()
			return runConsole(ctx, a, optional(args), destination, show)
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "print the address and open nothing")
	cmd.Flags().StringVar(&destination, "destination", "", "`SERVICE`, such as s3, or an address of the console")
	return cmd
}

func runConsole(ctx context.Context, a *ambit, arg, destination string, show bool) error {
	base := a.enterBaseline()
	d, err := a.permitted(ctx, arg)
	if err != nil {
		return err
	}
	to, err := consoleAddress(destination, a.regionOf(ctx, d, base))
	if err != nil {
		return err
	}
	if !show && !hasBrowser() {
		return noBrowser("there is no display here to show a browser on")
	}
	c, err := a.credentials(ctx, d, "", base, 0)
	if err != nil {
		return err
	}
	keys := aws.Keys{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	address, err := aws.SigninURL(ctx, resolver.NewBaseline(base.List()), a.now, keys, to)
	if err := interrupted(ctx); err != nil {
		return err
	}
	if err != nil {
		return openHinted(err)
	}
	if show {
		_, err = a.out.Write([]byte(address + "\n"))
		return err
	}
	return a.handOver(ctx, address)
}

const (
	visitTime   = time.Minute     // how long a browser may take to come
	visitSilent = 2 * time.Second // until then nothing is said
)

// handOver opens a browser at an address that may stand on no command line.
func (a *ambit) handOver(ctx context.Context, address string) error {
	waiting := time.AfterFunc(visitSilent, func() { a.say(plain("waiting for the browser …")) })
	defer waiting.Stop()
	err := aws.HandOver(ctx, address, a.uid, visitTime, browse)
	switch {
	case err == nil || interrupted(ctx) != nil:
		return err
	case errors.Is(err, aws.ErrNoVisit):
		return noBrowser(fmt.Sprintf("no browser has come within %d seconds", int(visitTime/time.Second)))
	}
	return noBrowser("no browser could be started")
}

func noBrowser(text string) error {
	return withHint(errors.New(text), "ambit console --print prints the address")
}

var serviceName = late(`^[a-z0-9][a-z0-9-]*$`)

// consoleAddress is where in the console to go: what --destination says, in the
// region that the environment sets, "" for none.
func consoleAddress(destination, region string) (string, error) {
	if strings.Contains(destination, "://") {
		u, err := url.Parse(destination)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			return "", usageError{"--destination is not an https address", "write, for example, https://console.aws.amazon.com/s3/home"}
		}
		return destination, nil
	}
	service := destination
	if service == "" {
		service = "console"
	}
	if !serviceName().MatchString(service) {
		return "", usageError{fmt.Sprintf("--destination %q is neither a service nor an address", destination), "write, for example, s3"}
	}
	host := "console.aws.amazon.com"
	switch {
	case strings.HasPrefix(region, "cn-"):
		host = "console.amazonaws.cn"
	case strings.HasPrefix(region, "us-gov-"):
		host = "console.amazonaws-us-gov.com"
	}
	u := url.URL{Scheme: "https", Host: host, Path: "/" + service + "/home"}
	if region != "" {
		u.RawQuery = url.Values{"region": {region}}.Encode()
	}
	return u.String(), nil
}
