package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"github.com/cli/browser"
)

// browse opens an address in the user's browser: the first of $BROWSER that can be
// started (a list separated by colons; %s stands for the address, which else comes
// last), or the system's. It does not wait for the browser, whose output is
// dropped: it may repeat the address. Call it in the baseline: what a definition
// sets must not choose a program.
func browse(address string) error {
	list := os.Getenv("BROWSER")
	if list == "" {
		// Not io.Discard: that is a pipe which ends with this process, and the browser
		// with it if it writes more.
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer null.Close()
		browser.Stdout, browser.Stderr = null, null
		return browser.OpenURL(address)
	}
	err := exec.ErrNotFound
	for command := range strings.SplitSeq(list, ":") {
		argv := strings.Fields(command)
		if len(argv) == 0 {
			continue
		}
		given := false
		for i := 1; i < len(argv); i++ {
			given = given || strings.Contains(argv[i], "%s")
			argv[i] = strings.ReplaceAll(argv[i], "%s", address)
		}
		if !given {
			argv = append(argv, address)
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		// A session of its own: our Ctrl-C is not for the browser.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err = cmd.Start(); err == nil {
			go func() { _ = cmd.Wait() }() // so that it is no zombie
			return nil
		}
	}
	return err
}

// hasBrowser says whether a browser can be shown here. Without a screen what the
// system would start takes the terminal.
func hasBrowser() bool {
	for _, name := range []string{"BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return runtime.GOOS == "darwin"
}
