package aws

import (
	"context"
	"strings"
	"testing"
	"time"

	"ambit/resolver"
	"ambit/resolver/aws/awstest"
)

func newInstance(t *testing.T) *world {
	w := newWorld(t)
	w.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = w.server.URL
	return w
}

func newContainer(t *testing.T) *world {
	w := newWorld(t)
	w.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = w.server.URL + awstest.ContainerPath
	w.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = w.write("pod-token", awstest.ContainerToken)
	return w
}

func (w *world) whoIs(o resolver.Opened) string {
	w.t.Helper()
	who, err := WhoAmI(context.Background(), w.baseline(), time.Now, keysOf(o), "")
	if err != nil {
		w.t.Fatal(describe(err))
	}
	return who.ARN
}

func TestInstance(t *testing.T) {
	w := newInstance(t)
	w.write(".aws/config", "[profile p]\nrole_arn = "+devRole+"\ncredential_source = Ec2InstanceMetadata\n[default]\nregion = eu-west-1\n")
	o := w.mustOpen(obj{"profile": "default"}, call{})
	if got := w.whoIs(o); got != "arn:aws:sts::123456789012:assumed-role/instance/i-0123456789abcdef0" {
		t.Errorf("is %s", got)
	}
	w.mustOpen(obj{"profile": "default"}, call{})
	if w.calls("GetMetadataCredentials") != 1 {
		t.Errorf("%+v", w.server.Calls())
	}
	for _, in := range []obj{{"profile": "p"}, assume(nil)} {
		if got := w.whoIs(w.mustOpen(in, call{})); !strings.HasPrefix(got, "arn:aws:sts::123456789012:assumed-role/dev/") {
			t.Errorf("is %s", got)
		}
	}
}

func TestInstanceFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*awstest.Knobs)
		want   string
	}{
		{"no role", func(k *awstest.Knobs) { k.IMDS.NoRole = true }, "no role is attached"},
		{"role not to be assumed", func(k *awstest.Knobs) { k.IMDS.Code = "AssumeRoleUnauthorizedAccess" }, "AssumeRoleUnauthorizedAccess"},
		{"token refused", func(k *awstest.Knobs) { k.IMDS.Token = awstest.TokenRefused }, "refused: 4"},
		{"hop limit", func(k *awstest.Knobs) { k.IMDS.Token = awstest.TokenHangs }, "in time"},
		{"html", func(k *awstest.Knobs) { k.Outage = awstest.HTML }, ""},
		{"refused", func(k *awstest.Knobs) { k.Outage = awstest.Refused }, "connection refused"},
	} {
		w := newInstance(t)
		w.write(".aws/config", "[default]\nregion = eu-west-1\n")
		w.knobs(tt.change)
		start := time.Now()
		err := w.fails(obj{"profile": "default"}, call{})
		if !strings.Contains(err.Summary, tt.want) || time.Since(start) > 5500*time.Millisecond {
			t.Errorf("%s: got %s after %v", tt.name, describe(err), time.Since(start))
		}
	}
}

func TestContainer(t *testing.T) {
	w := newContainer(t)
	w.write(".aws/config", "[profile p]\nrole_arn = "+devRole+"\ncredential_source = EcsContainer\n[default]\nregion = eu-west-1\n")
	o := w.mustOpen(obj{"profile": "default"}, call{})
	if got := w.whoIs(o); got != "arn:aws:sts::123456789012:assumed-role/task/eks-demo-pod" {
		t.Errorf("is %s", got)
	}
	if until := parseTime(t, o.Value.Object["expiration"].Text); time.Until(until) < 6*time.Hour-10*time.Second {
		t.Errorf("until %v", until)
	}
	w.mustOpen(obj{"profile": "p"}, call{})
	w.write("pod-token", "cAnArY")
	w.cache = nil
	if err := w.fails(obj{"profile": "default"}, call{}, "cAnArY"); !strings.Contains(err.Summary, "Unauthorized") {
		t.Errorf("got %s", describe(err))
	}
}

func TestContainerAddresses(t *testing.T) {
	for address, ok := range map[string]bool{
		"http://169.254.170.2/x": true, "http://169.254.170.23/v1": true, "http://[fd00:ec2::23]/v1": true, "http://127.0.0.1:8080/": true, "http://localhost/": true,
		"https://example.com/x": true, "http://example.com/x": false, "http://169.254.169.254/": false, "http://10.0.0.1/": false, "ftp://127.0.0.1/": false, "": false, "http://": false,
		"http://127.0.0.1.example.com/": false, "http://127.0.0.1@example.com/": false,
	} {
		if err := localAddress(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	w := newContainer(t)
	w.write(".aws/config", "[default]\nregion = eu-west-1\n")
	w.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://example.com/x"
	if err := w.fails(obj{"profile": "default"}, call{}, awstest.ContainerToken); err.Kind != resolver.KindRefused || !strings.Contains(err.Summary, "AWS_CONTAINER_CREDENTIALS_FULL_URI") {
		t.Errorf("got %s", describe(err))
	}
}

// TestNothingNewer: a container hands out the same keys until late; it is asked
// again after half of what is left.
func TestNothingNewer(t *testing.T) {
	w := newContainer(t)
	w.write(".aws/config", "[default]\nregion = eu-west-1\n")
	w.knobs(func(k *awstest.Knobs) { k.Lifetime, k.Frozen = 3600, true })
	first := w.mustOpen(obj{"profile": "default"}, call{})
	w.age(50 * 60) // of our clock; the container's keys stay
	again := w.mustOpen(obj{"profile": "default"}, call{patience: resolver.Detached})
	if id(again) != id(first) || w.calls("GetPodCredentials") != 2 {
		t.Fatalf("%+v", w.server.Calls())
	}
	// 59 min are left in truth until the hard end: half of it.
	if d := time.Until(again.RefreshAt); d < 29*time.Minute || d > 30*time.Minute {
		t.Errorf("asks again in %v", d)
	}
	w.mustOpen(obj{"profile": "default"}, call{patience: resolver.Detached})
	if w.calls("GetPodCredentials") != 2 {
		t.Error("asked too early")
	}
}
