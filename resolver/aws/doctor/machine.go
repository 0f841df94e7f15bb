package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ambit/resolver/safefile"
)

// exists says whether something is there, below Root.
func (x *examination) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(x.Root, path))
	return err == nil
}

// content is what a small file below Root holds, "" if it cannot be read.
func (x *examination) content(path string) string {
	b, err := safefile.Read(filepath.Join(x.Root, path))
	if err != nil {
		return ""
	}
	return string(b)
}

// inContainer says whether this is a container of Docker, Podman or an
// orchestrator.
func (x *examination) inContainer() bool {
	if x.exists("/.dockerenv") || x.exists("/run/.containerenv") || x.onECS() || x.onKubernetes() {
		return true
	}
	groups := x.content("/proc/1/cgroup")
	return strings.Contains(groups, "docker") || strings.Contains(groups, "kubepods") || strings.Contains(groups, "containerd")
}

func (x *examination) onKubernetes() bool { return x.env("KUBERNETES_SERVICE_HOST") != "" }

func (x *examination) onECS() bool {
	return x.env("ECS_CONTAINER_METADATA_URI_V4") != "" || x.env("ECS_CONTAINER_METADATA_URI") != "" || strings.HasPrefix(x.env("AWS_EXECUTION_ENV"), "AWS_ECS_")
}

// onEC2 says whether the machine's firmware says that it is an instance.
func (x *examination) onEC2() bool {
	return strings.HasPrefix(x.content("/sys/class/dmi/id/sys_vendor"), "Amazon EC2") ||
		strings.HasPrefix(strings.ToLower(x.content("/sys/hypervisor/uuid")), "ec2")
}

// tastes are variables that people set once for all: they say nothing about
// credentials.
var tastes = []string{
	"AWS_DEFAULT_OUTPUT", "AWS_PAGER", "AWS_CA_BUNDLE", "AWS_EC2_METADATA_DISABLED", "AWS_SDK_LOAD_CONFIG",
	"AWS_CLI_AUTO_PROMPT", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "AWS_STS_REGIONAL_ENDPOINTS",
}

// usesAWS says whether anything here is about AWS: where nothing is, nobody misses
// credentials.
func (x *examination) usesAWS() bool {
	for name, value := range x.Environ {
		if strings.HasPrefix(name, "AWS_") && value != "" && !slices.Contains(tastes, name) {
			return true
		}
	}
	files := x.files(cli2)
	return len(files.config.content)+len(files.credentials.content) > 0 || x.onEC2() || x.onECS()
}
