package doctor

import (
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ambit/resolver/aws/awstest"
)

func (w *world) onInstance() {
	w.Environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = w.server.URL
}

func TestInstance(t *testing.T) {
	t.Parallel()
	t.Run("well", func(t *testing.T) {
		w := newWorld(t)
		w.onInstance()
		w.well("give keys of the role instance")
	})
	t.Run("no role", func(t *testing.T) {
		w := newWorld(t)
		w.onInstance()
		w.knobs(func(k *awstest.Knobs) { k.IMDS.NoRole = true })
		w.is(w.examine(all...), "aws.runtime", Fail, "no role is attached", "aws ec2 associate-iam-instance-profile --instance-id i-0123456789abcdef0 --iam-instance-profile Name=P")
	})
	t.Run("role deleted", func(t *testing.T) {
		w := newWorld(t)
		w.onInstance()
		w.knobs(func(k *awstest.Knobs) { k.IMDS.Code = "AssumeRoleUnauthorizedAccess" })
		w.is(w.examine(all...), "aws.runtime", Fail, `"instance" of this instance gives no keys (AssumeRoleUnauthorizedAccess)`, "aws iam get-role --role-name instance --query")
	})
	t.Run("hop limit", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.onInstance()
		write(t, w.Root, ".dockerenv", "")
		w.knobs(func(k *awstest.Knobs) { k.IMDS.Token = awstest.TokenHangs })
		w.is(w.examine("aws.runtime"), "aws.runtime", Fail, "its token never comes", "--http-put-response-hop-limit 2")
	})
	t.Run("first version", func(t *testing.T) {
		w := newWorld(t)
		w.onInstance()
		w.knobs(func(k *awstest.Knobs) { k.IMDS.Token, k.IMDS.V1 = awstest.TokenRefused, true })
		w.well("give keys of the role instance")
	})
	t.Run("off", func(t *testing.T) {
		w := newWorld(t)
		w.onInstance()
		w.knobs(func(k *awstest.Knobs) { k.IMDS.Token = awstest.TokenRefused })
		w.is(w.examine("aws.runtime"), "aws.runtime", Fail, "switched off", "--http-endpoint enabled")
	})
	t.Run("nobody there", func(t *testing.T) {
		w := newWorld(t)
		w.Environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1"
		found := w.examine("aws.runtime", "aws.order")
		w.is(found, "aws.runtime", Fail, "nothing answers there", "export AWS_EC2_METADATA_DISABLED=true; unset AWS_EC2_METADATA_SERVICE_ENDPOINT")
		if len(found) != 2 || found[1].Check != "aws.order" || !strings.HasSuffix(found[1].Evidence, "because of aws.runtime") {
			t.Error(list(found))
		}
	})
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		w := newWorld(t)
		w.Environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://" + l.Addr().String()
		w.is(w.examine("aws.runtime", "aws.order"), "aws.runtime", Fail, "programs wait for it and find no credentials", "export AWS_EC2_METADATA_DISABLED=true")
	})
	t.Run("asked only where programs ask", func(t *testing.T) {
		w := newWorld(t)
		w.onInstance()
		w.withKeys(awstest.KeyID, awstest.SecretKey, "")
		w.examine(all...)
		if n := w.server.Calls().ByAction["GetMetadataToken"]; n != 0 {
			t.Errorf("asked %d times", n)
		}
		delete(w.Environ, "AWS_ACCESS_KEY_ID")
		delete(w.Environ, "AWS_SECRET_ACCESS_KEY")
		w.Environ["AWS_EC2_METADATA_DISABLED"] = "true"
		w.examine(all...)
		if n := w.server.Calls().ByAction["GetMetadataToken"]; n != 0 {
			t.Errorf("asked %d times", n)
		}
	})
	t.Run("through a proxy", func(t *testing.T) {
		w := newWorld(t)
		w.onInstance()
		w.Environ["HTTP_PROXY"] = proxyServer(t, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusForbidden) })
		w.Environ["NO_PROXY"] = "sts.example.com"
		const fix = `export NO_PROXY="$NO_PROXY",127.0.0.1,169.254.169.254,169.254.170.2,169.254.170.23`
		w.is(w.examine("aws.runtime"), "aws.network", Fail, "through the proxy of HTTP_PROXY", fix)
		w.Environ["NO_PROXY"] += ",127.0.0.1"
		w.well("give keys of the role instance")
	})
	t.Run("no AWS at all", func(t *testing.T) {
		w := newWorld(t)
		w.Environ = map[string]string{"HOME": w.Home}
		w.healthy(w.examine("aws.runtime"))
	})
	t.Run("of a profile", func(t *testing.T) {
		w := newWorld(t)
		w.onInstance()
		write(t, w.Home, ".aws/config", "[default]\nrole_arn = "+devRole+"\ncredential_source = Ec2InstanceMetadata\n")
		w.well("assumed " + devRole)
		w.knobs(func(k *awstest.Knobs) { k.IMDS.NoRole = true })
		w.is(w.examine(all...), "aws.runtime", Fail, "no role is attached", "associate-iam-instance-profile")
	})
}

func TestContainerCredentials(t *testing.T) {
	pod := func(w *world) {
		w.Environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = w.server.URL + awstest.ContainerPath
		w.Environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = write(w.t, w.Home, "pod-token", awstest.ContainerToken)
	}
	t.Run("well", func(t *testing.T) {
		w := newWorld(t)
		pod(w)
		w.well("of this container is arn:aws:sts::123456789012:assumed-role/task/eks-demo-pod")
	})
	t.Run("refused", func(t *testing.T) {
		w := newWorld(t)
		pod(w)
		w.knobs(func(k *awstest.Knobs) { k.Container.Authorization = "another" })
		w.is(w.examine(all...), "aws.runtime", Fail, "EKS Pod Identity refuses this pod: status 401 (AccessDeniedException)", "aws eks list-pod-identity-associations")
	})
	t.Run("no token", func(t *testing.T) {
		w := newWorld(t)
		pod(w)
		w.Environ["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = w.Home + "/none"
		w.is(w.examine("aws.runtime"), "aws.runtime", Fail, "none\" cannot be used", "unset AWS_CONTAINER_CREDENTIALS_FULL_URI")
	})
	t.Run("host", func(t *testing.T) {
		w := newWorld(t)
		w.Environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://192.0.2.1/x"
		w.is(w.examine("aws.runtime"), "aws.runtime", Fail, "neither an https address nor one of this machine", "unset AWS_CONTAINER_CREDENTIALS_FULL_URI")
	})
	t.Run("nobody there", func(t *testing.T) {
		w := newWorld(t)
		w.Environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:1/x"
		w.is(w.examine("aws.runtime"), "aws.runtime", Fail, "nothing answers there", "unset AWS_CONTAINER_CREDENTIALS_FULL_URI")
	})
	t.Run("no task", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.Environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = awstest.ContainerRelativeURI
		w.is(w.examine("aws.runtime"), "aws.runtime", Fail, "this is no ECS task", "unset AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
	})
	t.Run("task without a role", func(t *testing.T) {
		w := newWorld(t)
		w.Environ["ECS_CONTAINER_METADATA_URI_V4"] = proxyServer(t, taskMetadata)
		w.Environ["AWS_EC2_METADATA_DISABLED"] = "true"
		w.is(w.examine("aws.runtime"), "aws.runtime", Fail, "an ECS task without a task role", "aws ecs describe-task-definition --task-definition shop:7 --query")
	})
}

func TestPodWithoutARole(t *testing.T) {
	w := newWorld(t)
	w.Environ["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
	w.Environ["AWS_EC2_METADATA_DISABLED"] = "true"
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"system:serviceaccount:shop:api"}`))
	write(t, w.Root, "var/run/secrets/kubernetes.io/serviceaccount/token", "e30."+claims+".c2ln")
	w.is(w.examine("aws.runtime"), "aws.runtime", Fail, "its service account api in shop has no role", "kubectl annotate sa api -n shop eks.amazonaws.com/role-arn=ARN --overwrite")
	w.withKeys(awstest.KeyID, awstest.SecretKey, "")
	w.healthy(w.examine("aws.runtime"))
}

func TestLambda(t *testing.T) {
	w := newWorld(t)
	w.Environ["AWS_LAMBDA_FUNCTION_NAME"] = "shop-api"
	w.withKeys(awstest.KeyID, awstest.SecretKey, "")
	w.is(w.examine("aws.runtime"), "aws.runtime", Fail, "not its role's but arn:aws:iam::123456789012:user/demo: there are a user's keys in its code",
		"aws lambda get-function-configuration --function-name shop-api --query Role")
	w.Environ["AWS_LAMBDA_FUNCTION_NAME"] = "x'; touch y #\n\x1b"
	w.is(w.examine("aws.runtime"), "aws.runtime", Fail, "user/demo", "")
	w.withSession()
	w.Environ["AWS_LAMBDA_FUNCTION_NAME"] = "ambit" // the session's name
	w.healthy(w.examine("aws.runtime"))
}

func TestDocker(t *testing.T) {
	w := newWorld(t)
	write(t, w.Root, ".dockerenv", "")
	k := w.session()
	w.withKeys(k.AccessKeyID, `"`+k.SecretAccessKey.Reveal()+`"`, "")
	w.Environ["AWS_SESSION_TOKEN"] = ""
	w.Offline = true
	found := w.examine("aws.runtime")
	if len(found) != 2 || !strings.Contains(found[0].Evidence, "AWS_SESSION_TOKEN is set to nothing, as by -e AWS_SESSION_TOKEN=$VARIABLE") ||
		!strings.Contains(found[1].Evidence, "AWS_SECRET_ACCESS_KEY is in quotes") || found[0].Fix != dockerRun {
		t.Error(list(found))
	}
}

// TestAllHangs: with everything mute it still ends, and says what it saw.
func TestAllHangs(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	mute := "http://" + l.Addr().String()
	w := newWorld(t)
	w.Environ["AWS_ENDPOINT_URL"], w.Environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"], w.Environ["HTTP_PROXY"] = mute, mute, mute
	begun := time.Now()
	found := w.examine()
	if took := time.Since(begun); took > 14*time.Second || !Failed(found) {
		t.Errorf("%s: %s", took, list(found))
	}
}
