// Fakeaws runs the loopback AWS of package awstest until it is told to stop. It
// prints two lines, the URL of the AWS endpoint and that of the control path;
// --port-file gets the same lines, written whole, for a script to wait for.
//
//	fakeaws --addr 127.0.0.1:0 --port-file urls --stdin
//	AWS_ENDPOINT_URL=$(sed -n 1p urls) aws sts get-caller-identity
//	curl -d '{"outage":"503"}' "$(sed -n 2p urls)/knobs"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"ambit/resolver/aws/awstest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "fakeaws: error:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("fakeaws", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:0", "`HOST:PORT` of the AWS endpoint")
	portFile := flags.String("port-file", "", "`FILE` that gets the two URLs once both are open")
	untilStdin := flags.Bool("stdin", false, "end when standard input is closed")
	knobs := flags.String("knobs", "", "first knobs, a `JSON` object as for the control path")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	s, err := awstest.Start(awstest.Options{Addr: *addr, Now: time.Now})
	if err != nil {
		return err
	}
	defer s.Close()
	if *knobs != "" {
		if err := s.SetKnobs([]byte(*knobs)); err != nil {
			return err
		}
	}
	urls := s.URL + "\n" + s.ControlURL + "\n"
	if *portFile != "" {
		if err := writeWhole(*portFile, urls); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(stdout, urls); err != nil {
		return err
	}
	if *untilStdin {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			_, _ = io.Copy(io.Discard, stdin) // any end of it is the end
			cancel()
		}()
	}
	<-ctx.Done()
	return nil
}

// writeWhole makes the file appear with all its text, never with half.
func writeWhole(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
