package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"ambit/resolver/safefile"
)

// checkFiles looks at the configuration files and at what the AWS CLI keeps: that
// they can be read, are what they ought to be, and are the user's alone.
func checkFiles(_ context.Context, x *examination) (found []Finding) {
	var files []*file
	for _, r := range readers {
		c := x.files(r)
		for _, f := range []*file{c.credentials, c.config} {
			if !slices.Contains(files, f) {
				files = append(files, f)
			}
		}
	}
	for _, f := range files {
		switch {
		case f.path == "", f.path == os.DevNull: // no file is meant
		case f.absent:
			found = append(found, x.absentFile(f)...)
		case f.err != nil:
			found = append(found, x.unreadableFile(f))
		default:
			found = append(found, x.textOfFile(f)...)
			found = append(found, x.modeOfFile(f)...)
		}
	}
	found = append(found, x.unexpanded()...)
	found = append(found, x.emptyVariables()...)
	found = append(found, x.cacheFiles()...)
	if len(found) == 0 {
		found = append(found, Finding{Check: "aws.files", Status: OK, Evidence: "the files of the AWS configuration can be read, and by nobody else"})
	}
	return found
}

func fileFinding(status Status, fix, format string, args ...any) Finding {
	return Finding{Check: "aws.files", Status: status, Evidence: fmt.Sprintf(format, args...), Fix: fix}
}

// missed says whether something is looked for in vain: a file that is not read is
// then the reason, and not just a remark.
func (x *examination) missed() Status {
	winner, _, ok := x.winner(cli1)
	name, variable := x.profileInForce(cli1)
	if !ok || winner.Kind == "instance" || variable != "" && x.profile(cli1, name) == nil {
		return Fail
	}
	return Warn
}

// absentFile tells of a file that a variable or a link leads to, and that is not
// there. One at its usual place need not be.
func (x *examination) absentFile(f *file) (found []Finding) {
	if info, err := os.Lstat(f.path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return []Finding{fileFinding(x.missed(), "rm "+x.inCommand(f.path), "%s is a symbolic link that leads nowhere", f.shown)}
	}
	for _, variable := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		if value := x.env(variable); value == "" || x.expand(value) != f.path {
			continue // for what only Go makes of it see unexpanded
		}
		found = append(found, fileFinding(x.missed(), x.unset(variable), "%s names %s, which does not exist", variable, f.shown))
	}
	return found
}

func (x *examination) unreadableFile(f *file) Finding {
	path := x.inCommand(f.path)
	status := x.missed()
	switch {
	case f.unseen():
		return fileFinding(Warn, "", "%s is larger than 1 MiB, and was not looked at", f.shown)
	case errors.Is(f.err, syscall.ELOOP):
		return fileFinding(status, "rm "+path, "%s is a loop of symbolic links", f.shown)
	case errors.Is(f.err, safefile.ErrNotRegular), errors.Is(f.err, syscall.EISDIR), errors.Is(f.err, syscall.ENXIO):
		kind, fix := "no regular file", "mv "+path+" "+x.inCommand(f.path+".bad")
		if info, err := os.Stat(f.path); err == nil {
			switch mode := info.Mode(); {
			case mode.IsDir():
				kind = "a directory"
			case mode&fs.ModeNamedPipe != 0:
				kind = "a named pipe, at which programs may wait for ever"
			case mode&fs.ModeSocket != 0:
				kind = "a socket"
			case mode&fs.ModeDevice != 0:
				kind = "a device"
			}
		}
		return fileFinding(status, fix, "%s is %s", f.shown, kind)
	case errors.Is(f.err, fs.ErrPermission):
		info, err := os.Stat(f.path)
		if err == nil && ownerOf(info) == x.UID {
			return fileFinding(status, "chmod 600 "+path, "%s cannot be read: its mode is %#o", f.shown, info.Mode().Perm())
		}
		if err == nil {
			return fileFinding(status, `sudo chown "$(id -u)" `+path, "%s cannot be read: it belongs to user %d", f.shown, ownerOf(info))
		}
		dir := filepath.Dir(f.path)
		return fileFinding(status, "chmod u+rwx "+x.inCommand(dir), "%s cannot be read: %s is closed", f.shown, x.shorten(dir))
	}
	return fileFinding(status, "", "%s cannot be read: %s", f.shown, clip(f.err.Error()))
}

// ownerOf is a file's user id, -1 if it is unknown.
func ownerOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// textOfFile tells of what makes programs refuse all of a file, and of what only
// some stumble over.
func (x *examination) textOfFile(f *file) (found []Finding) {
	path := x.inCommand(f.path)
	r := f.asPython
	// Neither the shell nor a failing conversion is to leave secrets in the open.
	convert := func(from string) string {
		return `sh -c 'umask 077 && iconv -f ` + from + ` -t UTF-8 "$1" >"$1.new" && mv "$1.new" "$1"' sh ` + x.real(f)
	}
	const bom = "\xef\xbb\xbf"
	switch from := wide(f.content); {
	case from != "":
		return []Finding{fileFinding(Fail, convert(from), "%s is UTF-16 text, which programs take for nonsense", f.shown)}
	case bytes.IndexByte(f.content, 0) >= 0:
		at := bytes.IndexByte(f.content, 0)
		return []Finding{fileFinding(Fail, "mv "+path+" "+x.inCommand(f.path+".bad"), "%s:%d has a zero byte: it is damaged, or no text",
			f.shown, 1+bytes.Count(f.content[:at], []byte("\n")))}
	case r.refusal == notText && isLatin1(f.content):
		return []Finding{fileFinding(Fail, convert("ISO-8859-1"), "%s %s, so that the AWS CLI and boto3 refuse all of it", f.at(r.told()), r.refusal)}
	case r.refusal == notText:
		return []Finding{fileFinding(Fail, "mv "+path+" "+x.inCommand(f.path+".bad"), "%s %s, so that the AWS CLI and boto3 refuse all of it", f.at(r.told()), r.refusal)}
	case bytes.HasPrefix(f.content, []byte(bom)):
		found = append(found, fileFinding(Fail, x.edit(f, 1, 0, `s/^\xEF\xBB\xBF//`),
			"%s begins with a byte order mark, which hides its first line from all programs", f.shown))
	case r.refusal != "":
		found = append(found, fileFinding(Fail, x.refusalFix(f), "%s %s, so that the AWS CLI and boto3 refuse all of it", f.at(r.told()), r.refusal))
	}
	if n := bytes.Count(f.content, []byte("\r\n")); n > 0 {
		found = append(found, fileFinding(Warn, inPlace+`'s/\r$//' `+x.real(f), "%s has %s with the line end of Windows (CR LF), which some programs take as part of a value", f.shown, lines(n)))
	} else if bytes.IndexByte(f.content, '\r') >= 0 {
		found = append(found, fileFinding(Warn, `sh -c 'umask 077 && tr "\r" "\n" <"$1" >"$1.new" && mv "$1.new" "$1"' sh `+x.real(f),
			"%s has carriage returns, which only some programs read as the end of a line", f.shown))
	}
	return found
}

func lines(n int) string {
	if n == 1 {
		return "1 line"
	}
	return fmt.Sprintf("%d lines", n)
}

// wide is the encoding of UTF-16 text as iconv names it, "" for other text.
func wide(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}), bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return "UTF-16"
	case len(b) < 4 || len(b)%2 != 0:
		return ""
	}
	even, odd := 0, 0
	for i, c := range b {
		if c == 0 && i%2 == 0 {
			even++
		} else if c == 0 {
			odd++
		}
	}
	switch half := len(b) / 2; {
	case odd > half*9/10 && even == 0:
		return "UTF-16LE"
	case even > half*9/10 && odd == 0:
		return "UTF-16BE"
	}
	return ""
}

// isLatin1 says whether bytes are most probably text in an encoding of Western
// Europe: few of them are none of ASCII, and none are control characters.
func isLatin1(b []byte) bool {
	other := 0
	for _, c := range b {
		switch {
		case c < ' ' && c != '\n' && c != '\r' && c != '\t', c >= 0x7f && c < 0xa0:
			return false
		case c >= 0xa0:
			other++
		}
	}
	return other*10 <= len(b)
}

// refusalFix makes a file readable again without losing a line: what stands in the
// way becomes a comment. Of two settings the later one stays.
func (x *examination) refusalFix(f *file) string {
	r := f.asPython
	if r.refusal == beforeSection && f.asGo.sections["default"] == nil && r.sections["default"] == nil && hasProperty(f.content) {
		return inPlace + "'1i [default]' " + x.real(f)
	}
	var commands []string
	for _, s := range r.lines {
		lines := fmt.Sprint(s.first)
		if s.last > s.first {
			lines += fmt.Sprintf(",%d", s.last)
		}
		commands = append(commands, lines+"s/^/# /")
	}
	return inPlace + "'" + strings.Join(commands, ";") + "' " + x.real(f)
}

// hasProperty says whether the first line that counts is name = value: then a
// section's header is all that is missing.
func hasProperty(content []byte) bool {
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line[0] != ';' {
			name, _, ok := strings.Cut(line, "=")
			return ok && plainArgument().MatchString(strings.TrimSpace(name))
		}
	}
	return false
}

// modeOfFile tells of files with secrets that others may read, and of a
// configuration that others may write: it can run commands.
func (x *examination) modeOfFile(f *file) []Finding {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil // gone meanwhile
	}
	mode := info.Mode().Perm()
	secrets := false
	for _, s := range f.asGo.sections {
		_, secret := s.get("aws_secret_access_key")
		secrets = secrets || secret
	}
	fix := "chmod 600 " + x.inCommand(f.path)
	switch {
	case mode&0o002 != 0:
		return []Finding{fileFinding(Warn, fix, "%s can be changed by everybody: its mode is %#o", f.shown, mode)}
	case mode&0o044 != 0 && secrets:
		return []Finding{fileFinding(Warn, fix, "%s holds keys and can be read by others: its mode is %#o", f.shown, mode)}
	}
	return nil
}

// unexpanded tells of a path with ~ or $ that only the AWS CLI and boto3 expand.
func (x *examination) unexpanded() (found []Finding) {
	for _, variable := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		value := x.env(variable)
		if expanded := x.expand(value); expanded != value && x.open(value).absent && !x.open(expanded).absent {
			found = append(found, fileFinding(Warn, x.export(variable, x.inCommand(expanded)),
				"%s names %s, in which only the AWS CLI and boto3 expand ~ and $: others find no file", variable, clip(value)))
		}
	}
	return found
}

// emptyVariables tells of a variable that is set to nothing, which the AWS CLI and
// boto3 take for no file, and others for the usual one.
func (x *examination) emptyVariables() (found []Finding) {
	for variable, name := range map[string]string{"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"} {
		usual := x.open(filepath.Join(x.Home, ".aws", name))
		if x.has(variable) && x.env(variable) == "" && len(usual.asGo.names) > 0 {
			found = append(found, fileFinding(x.missed(), x.unset(variable), "%s is empty: the AWS CLI and boto3 do not read %s then", variable, usual.shown))
		}
	}
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.Evidence, b.Evidence) })
	return found
}
