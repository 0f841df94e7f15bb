package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"ambit/resolver/aws"
)

var plainArgument = late(`^[A-Za-z0-9_./:@%+,-][A-Za-z0-9_./:@%+,=-]*$`)

// quoted writes a name in a command.
func quoted(name string) string { return aws.Word(name) }

// profileOption writes an option with the name of a profile.
func profileOption(name string) string {
	if strings.HasPrefix(name, "-") {
		return "--profile=" + quoted(name)
	}
	return "--profile " + quoted(name)
}

// ssoLogin is the command that logs in at IAM Identity Center for a profile, for all
// programs that share the AWS CLI's login. It is ambit's own: the AWS CLI v1 has none.
func ssoLogin(profile string) string { return "ambit login " + profileOption(profile) }

// inCommand is a file's path in a command.
func (x *examination) inCommand(path string) string {
	if rest, ok := strings.CutPrefix(path, x.Home+"/"); ok && x.Home != "" && plainArgument().MatchString(rest) {
		return "~/" + rest
	}
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	return quoted(path)
}

// family are the variables that make up a set of keys.
var family = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
}

// unset is the command that takes away those of the variables that are set, or
// has ambit mend them if it set one.
func (x *examination) unset(names ...string) string {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !x.has(name) })
	if len(names) == 0 {
		return ""
	}
	if slices.ContainsFunc(names, x.ours) {
		return "ambit reload"
	}
	return "unset " + strings.Join(names, " ")
}

func (x *examination) ours(name string) bool { return x.Ours != nil && x.has(name) && x.Ours(name) }

// export is the command that sets variables, as name and word; or has ambit mend
// them if it set one.
func (x *examination) export(pairs ...string) string {
	command := "export"
	for i := 0; i < len(pairs); i += 2 {
		if x.ours(pairs[i]) {
			return "ambit reload"
		}
		command += " " + pairs[i] + "=" + pairs[i+1]
	}
	return command
}

// reenter is how a person gives the keys of a source anew.
func (x *examination) reenter(s Source) string {
	if s.profile != "" {
		return "aws configure " + profileOption(s.profile)
	}
	return x.unset(append(slices.Clone(family), "AWS_ACCESS_KEY", "AWS_SECRET_KEY")...)
}

// inPlace begins a command that edits a file with sed.
var inPlace = map[bool]string{false: "sed -i ", true: "sed -i '' "}[runtime.GOOS == "darwin"]

// real is a file in a command that writes it anew: a symbolic link stays one.
func (x *examination) real(f *file) string {
	if path, err := filepath.EvalSymlinks(f.path); err == nil {
		if info, err := os.Lstat(f.path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return x.inCommand(path)
		}
	}
	return x.inCommand(f.path)
}

// edit changes lines of a file by a command of sed.
func (x *examination) edit(f *file, first, last int, command string) string {
	lines := fmt.Sprint(first)
	if last > first {
		lines += fmt.Sprintf(",%d", last)
	}
	quote := "'"
	if strings.Contains(command, "'") {
		quote = `"`
	}
	return inPlace + quote + lines + command + quote + " " + x.real(f)
}
