package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// importMap says which of our packages may import which: "a < b" means that
// package b can import package a. It is transitive; NONE imports nothing of
// ours. Test files may import more.
//
// resolver/oidc is a room of its own: a login at an OpenID provider is no AWS
// matter, and other families will use it; resolver/aws gets its tokens by a
// function.
//
// DO NOT CHANGE THIS DATA TO FIX BUILDS. The map is the house: change it when
// the house changes, and say why.
const importMap = `
	NONE
	< shells, resolver/secret, resolver/safefile, resolver/cache/wire, resolver/aws/awstest, resolver/oidc/oidctest, hook/stack;

	resolver/secret, resolver/safefile, resolver/cache/wire
	< resolver/cache;

	shells, resolver/cache
	< hook;

	hook, hook/stack
	< cmd/ambit-hook;

	resolver/cache
	< resolver;

	resolver
	< resolver/store, resolver/aws, resolver/exec, resolver/local, resolver/oidc;

	resolver/aws/awstest
	< resolver/aws/awstest/fakeaws;

	resolver/aws
	< resolver/aws/doctor;

	hook, resolver/store, resolver/aws/doctor, resolver/exec, resolver/local, resolver/oidc
	< cmd/ambit;
`

// notInHook is what the program of the prompt may not link, and why. A trailing
// slash means everything below.
var notInHook = map[string]string{
	"net":                    "a prompt that cannot open a socket is easy to trust",
	"net/http":               "a prompt that cannot open a socket is easy to trust",
	"os/user":                "it links the resolver of the C library or reads files; HOME and /etc/passwd are enough",
	"gopkg.in/yaml.v3":       "files are parsed after they were allowed, by ambit; and it costs 0.3 of a process start",
	"github.com/adrg/xdg":    "it reads files when the program starts",
	"github.com/spf13/cobra": "it costs 0.7 of a process start, and there is one argument",
	"github.com/aws/":        "it costs more than a whole process start",
	"mvdan.cc/sh/v3/":        "nothing at a prompt parses shell",
	"encoding/json":          "what a prompt reads has a form of its own, which is quicker",
	"regexp":                 "it compiles when the program starts",
}

type goPackage struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
	Standard   bool
}

func goList(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,GoFiles,Imports,Deps,Standard"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var pkgs []goPackage
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// parseImportMap returns, for each package, those that it may import.
func parseImportMap(text string) (map[string]map[string]bool, error) {
	allowed := map[string]map[string]bool{}
	for rule := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(rule) == "" {
			continue
		}
		left, right, ok := strings.Cut(rule, "<")
		if !ok || strings.Contains(right, "<") {
			return nil, fmt.Errorf("not a rule: %q", rule)
		}
		for _, upper := range names(right) {
			if allowed[upper] == nil {
				allowed[upper] = map[string]bool{}
			}
			for _, lower := range names(left) {
				if lower == "NONE" {
					continue
				}
				if allowed[lower] == nil {
					return nil, fmt.Errorf("%s is used before it is defined", lower)
				}
				allowed[upper][lower] = true
				for below := range allowed[lower] {
					allowed[upper][below] = true
				}
			}
		}
	}
	return allowed, nil
}

func names(list string) (out []string) {
	for name := range strings.SplitSeq(list, ",") {
		out = append(out, strings.TrimSpace(name))
	}
	return out
}

// faults lists the imports of a package that the map does not have.
func faults(allowed map[string]map[string]bool, pkg string, imports []string) (out []string) {
	may, known := allowed[pkg]
	if !known {
		return []string{pkg + " is not in the import map"}
	}
	for _, path := range imports {
		if ours, ok := strings.CutPrefix(path, "ambit/"); ok && !may[ours] {
			out = append(out, fmt.Sprintf("%s may not import %s", pkg, ours))
		}
	}
	return out
}

func TestImportMap(t *testing.T) {
	allowed, err := parseImportMap(importMap)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range goList(t, "ambit/...") {
		for _, f := range faults(allowed, strings.TrimPrefix(p.ImportPath, "ambit/"), p.Imports) {
			t.Error(f)
		}
	}
}

// The test itself must be able to fail.
func TestImportMapObjects(t *testing.T) {
	allowed, err := parseImportMap("NONE < a, b; a < c; c < d;")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		pkg  string
		imp  string
		want int
	}{
		{"c", "ambit/a", 0}, {"d", "ambit/a", 0}, {"c", "fmt", 0},
		{"c", "ambit/b", 1}, {"a", "ambit/c", 1}, {"e", "fmt", 1},
	} {
		if got := faults(allowed, test.pkg, []string{test.imp}); len(got) != test.want {
			t.Errorf("%s importing %s: %q", test.pkg, test.imp, got)
		}
	}
	if _, err := parseImportMap("x < y;"); err == nil {
		t.Error("an unknown package on the left was accepted")
	}
}

func TestHookLinksLittle(t *testing.T) {
	pkgs := goList(t, "ambit/cmd/ambit-hook")
	if len(pkgs) != 1 || len(pkgs[0].Deps) < 20 {
		t.Fatalf("go list gave %d packages", len(pkgs))
	}
	for _, dep := range pkgs[0].Deps {
		for banned, why := range notInHook {
			if dep == banned || strings.HasSuffix(banned, "/") && strings.HasPrefix(dep, banned) {
				t.Errorf("ambit-hook links %s: %s", dep, why)
			}
		}
	}
}

// One importer of the SDK: what it sees of the environment is decided there.
func TestOneImporterOfTheSDK(t *testing.T) {
	for _, p := range goList(t, "ambit/...") {
		for _, path := range p.Imports {
			if strings.HasPrefix(path, "github.com/aws/") && p.ImportPath != "ambit/resolver/aws" && p.ImportPath != "ambit/resolver/aws/doctor" {
				t.Errorf("%s imports %s: only resolver/aws may", p.ImportPath, path)
			}
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, p := range goList(t, "ambit/...") {
		var with []string
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil && f.Doc.Text() != "" {
				with = append(with, name)
			}
		}
		if len(with) != 1 {
			slices.Sort(with)
			t.Errorf("%s has %d package comments, wants one: %q", p.ImportPath, len(with), with)
		}
	}
}
