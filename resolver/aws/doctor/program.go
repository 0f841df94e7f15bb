package doctor

import (
	"os"
	"path/filepath"
	"strings"
)

// missingProgram is the first word of a command, and whether there is no such
// program. A command that is more than words is not judged.
func (x *examination) missingProgram(command string) (program string, missing bool) {
	words, ok := splitWords(command)
	if !ok || len(words) == 0 || strings.ContainsAny(words[0], "$`|&;<>(){}*?~=") {
		return "", false
	}
	program = words[0]
	if strings.Contains(program, "/") {
		return program, filepath.IsAbs(program) && !executable(program)
	}
	for _, dir := range filepath.SplitList(x.env("PATH")) {
		if executable(filepath.Join(dir, program)) {
			return program, false
		}
	}
	return program, x.env("PATH") != "" && !shellBuiltins[program]
}

var shellBuiltins = map[string]bool{"echo": true, "printf": true, "exec": true, "cd": true, "eval": true, ".": true, "command": true, "cat": false, "export": true, "set": true, "test": true, "true": true, "if": true, "for": true, "while": true}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
