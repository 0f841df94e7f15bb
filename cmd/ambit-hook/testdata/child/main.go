// Child is what the shells of the stories start. Called dumpenv, it writes the
// variables that it was given to the file that its argument names, with NUL
// between them. Called ambit-hook, it stands in for that program: call number N
// prints the first N bytes of the file answer, which lies beside it, and leaves its
// variables there in a file environ-N. Called maxrss, it runs the program that its
// arguments name and prints the most memory that this had, in KiB. It is a program of
// its own because the test program starts slowly under the race detector, and because
// Linux counts to a process what its parent had when it was started.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	var err error
	switch filepath.Base(os.Args[0]) {
	case "ambit-hook":
		err = cut(filepath.Dir(os.Args[0]))
	case "maxrss":
		err = measure(os.Args[1:])
	default:
		err = dump(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func dump(file string) error {
	temp := fmt.Sprint(file, ".", os.Getpid())
	if err := os.WriteFile(temp, []byte(strings.Join(os.Environ(), "\x00")), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, file)
}

func measure(argv []string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.ErrUnsupported
	}
	fmt.Println(usage.Maxrss)
	return nil
}

func cut(dir string) error {
	answer, err := os.ReadFile(filepath.Join(dir, "answer"))
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := log.Stat() // a byte for each call
	if err != nil {
		return err
	}
	n := min(int(info.Size()), len(answer))
	if err := dump(filepath.Join(dir, fmt.Sprint("environ-", n))); err != nil {
		return err
	}
	if _, err := log.WriteString("x"); err != nil {
		return err
	}
	_, err = os.Stdout.Write(answer[:n])
	return err
}
