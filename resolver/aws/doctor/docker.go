package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// dockerRun hands a shell's credentials to a container: a name without a value
// passes on what is set, and nothing where nothing is.
const dockerRun = "docker run -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY -e AWS_SESSION_TOKEN -e AWS_REGION -e AWS_DEFAULT_REGION IMAGE"

// checkContainer tells what Docker does to credentials on their way in.
func checkContainer(_ context.Context, x *examination) (found []Finding) {
	if !x.inContainer() || x.onKubernetes() || x.onECS() {
		return nil
	}
	var empty, quoted []string
	for _, name := range append(slices.Clone(family), "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE") {
		value, set := x.Environ[name]
		switch {
		case set && value == "":
			empty = append(empty, name)
		case len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0]:
			quoted = append(quoted, name)
		}
	}
	// The family's own check is the one that fails: here it is said how it came.
	if len(empty) > 0 && temporary(x.env("AWS_ACCESS_KEY_ID")) {
		found = append(found, Finding{Check: "aws.runtime", Status: Warn, Fix: dockerRun,
			Evidence: fmt.Sprintf("in this container %s set to nothing, as by -e %s=$VARIABLE where the host has none of that name", listed(empty), empty[0])})
	}
	if len(quoted) > 0 {
		found = append(found, Finding{Check: "aws.runtime", Status: Warn, Fix: dockerRun,
			Evidence: fmt.Sprintf("in this container %s in quotes: --env-file takes them as part of the value", listed(quoted))})
	}
	files := x.files(cli2)
	for _, f := range []*file{files.config, files.credentials} {
		if errors.Is(f.err, fs.ErrPermission) {
			found = append(found, Finding{Check: "aws.runtime", Status: Fail, Fix: dockerRun,
				Evidence: fmt.Sprintf("%s is in this container, and its user (uid %d) may not read it", f.shown, x.UID)})
		}
	}
	return found
}

// listed writes names with their verb.
func listed(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, ", ") + " are"
}
