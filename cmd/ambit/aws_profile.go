package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mvdan.cc/sh/v3/shell"
)

// A profile for AWS programs, as it stands in their configuration file.
type awsProfile struct {
	name    string
	command []string // that prints credentials, by absolute path
	region  string   // "": none
}

// profilePrefix begins the name of every profile that ambit makes.
const profilePrefix = "ambit-"

var (
	notInProfileName = late(`[^A-Za-z0-9_.-]`)
	regionName       = late(`^[a-z0-9-]+$`)
)

// profileName is the name of the profile for what messages call label: shop/dev
// is ambit-shop-dev.
func profileName(label string) string {
	return profilePrefix + notInProfileName().ReplaceAllString(label, "-")
}

// block is the profile's section.
func (p awsProfile) block() (string, error) {
	command, err := processCommand(p.command)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("[profile %s]\ncredential_process = %s\n", p.name, command)
	if regionName().MatchString(p.region) {
		text += "region = " + p.region + "\n"
	}
	return text, nil
}

// appendTo is a configuration file with the profile, in place of one of the same
// name that it may have: readers refuse or mix two sections of one name.
func (p awsProfile) appendTo(config string) (string, error) {
	block, err := p.block()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	dropping := false
	for line := range strings.Lines(config) {
		if inner, ok := sectionHeader(line); ok {
			dropping = isProfile(inner, p.name)
		}
		if !dropping {
			out.WriteString(line)
		}
	}
	if rest := out.String(); rest != "" && !strings.HasSuffix(rest, "\n") {
		out.WriteString("\n")
	}
	return out.String() + block, nil
}

// processSubjectIn is the last word of the credential_process that [awsProfile.block]
// wrote for a profile.
func processSubjectIn(config, name string) (subject string, ok bool) {
	if !strings.HasPrefix(name, profilePrefix) {
		return "", false
	}
	within := false
	for line := range strings.Lines(config) {
		if inner, ok := sectionHeader(line); ok {
			within = isProfile(inner, name)
			continue
		}
		command, ok := strings.CutPrefix(line, "credential_process = ")
		if !within || !ok {
			continue
		}
		words, err := shell.Fields(command, func(string) string { return "" })
		if err != nil || len(words) < 3 || words[1] != "credential-process" {
			return "", false
		}
		return words[len(words)-1], true
	}
	return "", false
}

// sectionHeader is what stands between the brackets of a line that begins a
// section.
func sectionHeader(line string) (inner string, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "[")
	if !ok {
		return "", false
	}
	inner, _, ok = strings.Cut(rest, "]")
	return inner, ok
}

// isProfile also holds for a name in quotes, which botocore takes off.
func isProfile(inner, name string) bool {
	words := strings.Fields(inner)
	return len(words) == 2 && words[0] == "profile" && strings.Trim(words[1], `"'`) == name
}

// hasSection says whether a credentials file has a profile; there it has no prefix.
func hasSection(credentials, name string) bool {
	for line := range strings.Lines(credentials) {
		if inner, ok := sectionHeader(line); ok && strings.TrimSpace(inner) == name {
			return true
		}
	}
	return false
}

// processCommand writes a credential_process that all its readers take for the same
// words: those that run `sh -c`, as the SDK for Go does, and those that split it
// like Python's shlex, as botocore does. shlex keeps a backslash before anything but
// a quote or another one, sh does not: none is written as an escape. The first word
// begins with a double quote and no word ends in one, for the SDK for Go takes off
// quotes around a whole value; it also ends a value at white space before # or ;.
func processCommand(words []string) (string, error) {
	out := make([]string, len(words))
	for i, word := range words {
		if !utf8.ValidString(word) || strings.ContainsFunc(word, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", withHint(errors.New("a path with control characters, or that is not UTF-8, cannot stand in an AWS configuration file"), "rename the directory")
		}
		switch {
		case i == 0:
			out[i] = `"` + quoteWith(word, "\"$`\\", `"`) + `"`
		case word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,-") != "":
			out[i] = `'` + quoteWith(word, `'`, `'`) + `'`
		default:
			out[i] = word
		}
	}
	return strings.Join(out, " "), nil
}

// quoteWith writes a word that stands between quotes of one kind; the odd
// characters are put between those of the other.
func quoteWith(word, odd, quote string) string {
	other := map[string]string{`"`: `'`, `'`: `"`}[quote]
	var b strings.Builder
	for i := range len(word) {
		c := word[i]
		switch {
		case strings.IndexByte(odd, c) >= 0:
			b.WriteString(quote + other + string(c) + other + quote)
		case (c == '#' || c == ';') && i > 0 && word[i-1] == ' ':
			b.WriteString(quote + quote + string(c))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
