// Demo plays ambit's main story in an interactive bash on a terminal of its own
// and prints what a person would see. `./install.sh --demo` builds and runs it:
//
//	demo SCRATCH
//
// SCRATCH is a directory of its own, which it removes at the end. HOME lies in it,
// and AWS is the loopback one of resolver/aws/awstest/fakeaws. The exit status is 0
// if every step was as promised, 1 if one was not, 130 when interrupted.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const role = "arn:aws:iam::123456789012:role/dev"

const directoryFile = `environment: shop/dev
`

// Works unchanged in Pulumi ESC, but for the line token.
const environment = `values:
  aws:
    login:
      fn::open::aws-login:
        oidc:
          duration: 1h
          roleArn: ` + role + `
          sessionName: ambit-shop
          token: { file: ~/oidc-token }
  environmentVariables:
    AWS_ACCESS_KEY_ID: ${aws.login.accessKeyId}
    AWS_SECRET_ACCESS_KEY: ${aws.login.secretAccessKey}
    AWS_SESSION_TOKEN: ${aws.login.sessionToken}
    AWS_REGION: eu-central-1
`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo SCRATCH (run ./install.sh --demo)")
		os.Exit(2)
	}
	os.Exit(run(os.Args[1]))
}

func run(scratch string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	defer removeAll(scratch)
	err := play(ctx, scratch)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "ambit: error: interrupted")
		return 130
	case err != nil:
		fmt.Fprintln(os.Stderr, "ambit: error: the demo failed:", err)
		return 1
	}
	return 0
}

// removeAll also removes what a module cache or a hostile step left read-only.
func removeAll(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // the removal below tells
		}
		return nil
	})
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintf(os.Stderr, "ambit: warning: %q could not be removed: %v\n", dir, err)
	}
}

func play(ctx context.Context, scratch string) error {
	aws, err := startAWS(ctx)
	if err != nil {
		return err
	}
	defer aws.stop()
	home := filepath.Join(scratch, "home")
	if err := furnish(home); err != nil {
		return err
	}
	env, err := environ(home, aws.url)
	if err != nil {
		return err
	}
	cli := awsCLI(ctx, env)

	b, err := startBash(ctx, home, env)
	if err != nil {
		return err
	}
	defer b.close()
	fmt.Printf("# HOME is a throw-away directory, AWS a loopback server at %s.\n", aws.url)
	if !cli.real {
		fmt.Printf("# %s: \"ambit whoami\" stands in for \"aws\".\n", cli.why)
	}
	fmt.Println()
	for _, s := range story(cli) {
		if err := b.do(ctx, s); err != nil {
			return err
		}
	}
	if err := b.showsNoSecret(filepath.Join(home, "secrets")); err != nil {
		return err
	}
	if n, err := aws.calls(ctx, "AssumeRoleWithWebIdentity"); err != nil || n != "1" {
		return fmt.Errorf("STS was asked %s times for credentials, not once (%v)", n, err)
	}
	fmt.Print("\n# Every step was as promised: STS was asked once, no secret was shown, nothing is left loaded.\n")
	return nil
}

// furnish makes the HOME that the story plays in.
func furnish(home string) error {
	for path, text := range map[string]string{
		"shop/.envrc.yaml":                         directoryFile,
		".config/ambit/environments/shop/dev.yaml": environment,
		"oidc-token":                               token(time.Now()) + "\n",
		// Without a region of the user's own the CLI complains of that first.
		".aws/config": "[default]\nregion = us-east-1\n",
		// The marker says that bash waits for a command; a terminal does not show it.
		".bashrc": `PATH=$HOME/.local/bin:$PATH` + "\n" + `PS1='\[\e]133;A\a\]$ ' PS2= HISTFILE=` + "\n",
	} {
		path = filepath.Join(home, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// token is a JWT as a CI system hands it out. Nobody verifies its signature.
func token(now time.Time) string {
	part := func(v map[string]any) string {
		b, _ := json.Marshal(v) // strings and numbers
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return part(map[string]any{"alg": "RS256", "typ": "JWT"}) + "." + part(map[string]any{
		"iss": "https://issuer.example", "sub": "demo", "aud": "sts.amazonaws.com",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}) + "." + base64.RawURLEncoding.EncodeToString([]byte("signature"))
}

// environ is what the shell starts with: nothing of the caller's but what Go and a
// terminal need.
func environ(home, endpoint string) ([]string, error) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		return nil, errors.New("there is no bash on PATH")
	}
	out, err := exec.Command("go", "env", "-json", "GOROOT", "GOMODCACHE", "GOCACHE", "GOPATH", "GOENV").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	var goEnv map[string]string
	if err := json.Unmarshal(out, &goEnv); err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	env := []string{
		"HOME=" + home, "SHELL=" + bash, "TERM=dumb",
		// GOROOT first: a version manager's "go" may need the caller's HOME.
		"PATH=" + filepath.Join(goEnv["GOROOT"], "bin") + ":" + os.Getenv("PATH"),
		"AWS_ENDPOINT_URL=" + endpoint, "AWS_EC2_METADATA_DISABLED=true",
		"BASH_SILENCE_DEPRECATION_WARNING=1", // macOS says that zsh is the default
	}
	for _, name := range []string{"GOMODCACHE", "GOCACHE", "GOPATH", "GOENV"} {
		env = append(env, name+"="+goEnv[name])
	}
	noProxy := "127.0.0.1,localhost"
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		switch {
		case strings.EqualFold(name, "no_proxy") && value != "":
			noProxy += "," + value
		case name == "USER", name == "LOGNAME", name == "LANG", strings.HasPrefix(name, "LC_"), name == "TMPDIR",
			strings.HasSuffix(strings.ToLower(name), "_proxy"), strings.HasPrefix(name, "SSL_CERT_"),
			strings.HasPrefix(name, "GO") && goEnv[name] == "":
			env = append(env, kv)
		}
	}
	return append(env, "NO_PROXY="+noProxy, "no_proxy="+noProxy), nil
}

// loopback is the running fakeaws.
type loopback struct {
	url, control string
	stdin        io.Closer
	cmd          *exec.Cmd
}

// startAWS runs it until its standard input is closed, which happens at the latest
// when this process is gone.
func startAWS(ctx context.Context) (*loopback, error) {
	cmd := exec.CommandContext(ctx, "go", "run", "-buildvcs=false", "./resolver/aws/awstest/fakeaws", "--stdin")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 5 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	cmd.Cancel = stdin.Close
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("fakeaws: %w", err)
	}
	a := &loopback{stdin: stdin, cmd: cmd}
	lines := bufio.NewScanner(stdout)
	for _, to := range []*string{&a.url, &a.control} {
		if !lines.Scan() {
			a.stop()
			return nil, errors.New("fakeaws did not start")
		}
		*to = lines.Text()
	}
	return a, nil
}

func (a *loopback) stop() {
	_ = a.stdin.Close()
	_ = a.cmd.Wait() // how it ended does not matter any more
}

// calls is how often an action was called.
func (a *loopback) calls(ctx context.Context, action string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.control+"/calls/"+action, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(io.LimitReader(answer.Body, 100))
	return strings.TrimSpace(string(b)), err
}

// cli says whether the AWS CLI can play its part.
type cli struct {
	real bool
	why  string // not
}

// awsCLI asks it for its version: one older than AWS_ENDPOINT_URL would call the
// real AWS.
func awsCLI(ctx context.Context, env []string) cli {
	if _, err := exec.LookPath("aws"); err != nil {
		return cli{why: "there is no AWS CLI here"}
	}
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	cmd := exec.CommandContext(ctx, "aws", "--version")
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	var major, minor int
	if _, serr := fmt.Sscanf(string(out), "aws-cli/%d.%d.", &major, &minor); err != nil || serr != nil {
		return cli{why: "the AWS CLI here does not start"}
	}
	if major == 1 && minor < 29 || major == 2 && minor < 13 {
		return cli{why: fmt.Sprintf("the AWS CLI here, %d.%d, is older than AWS_ENDPOINT_URL", major, minor)}
	}
	return cli{real: true}
}
