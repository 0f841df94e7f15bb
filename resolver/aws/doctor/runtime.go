package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// checkRuntime looks at what the machine itself hands out: to an instance, a task,
// a pod, a function.
func checkRuntime(ctx context.Context, x *examination) (found []Finding) {
	v := x.investigate(ctx)
	switch {
	case v.found && v.source.Kind == "instance":
		found = x.instanceFindings(ctx, true)
	case v.trial != nil && v.trial.Err != nil && v.trial.Broken.Kind == "instance":
		found = x.instanceFindings(ctx, false)
	case v.trial != nil && v.trial.Err != nil && v.trial.Broken.Kind == "container":
		found = x.containerFindings(v)
	}
	if f, ok := x.lambda(v); ok {
		found = append(found, f)
	}
	return found
}

func runtimeFail(fix, format string, args ...any) Finding {
	return Finding{Check: "aws.runtime", Status: Fail, Evidence: fmt.Sprintf(format, args...), Fix: fix}
}

// slow is how long programs wait at least before a finding says so.
const slow = 700 * time.Millisecond

// instanceFindings say what the metadata service of an instance does. Last says that
// it was asked because no other place holds credentials.
func (x *examination) instanceFindings(ctx context.Context, last bool) []Finding {
	if last && !x.usesAWS() {
		return nil // nobody asks for credentials
	}
	m := x.instance(ctx)
	id := "I"
	if plainArgument().MatchString(m.instanceID) && m.instanceID != "" {
		id = m.instanceID
	}
	at := clip(m.address)
	if u, err := url.Parse(m.address); err == nil && u.Host != "" {
		at = clip(u.Host)
	}
	switch {
	case m.keys.AccessKeyID != "":
		return []Finding{{Check: "aws.runtime", Status: OK, Evidence: fmt.Sprintf("the instance's metadata at %s give keys of the role %s", at, clip(m.role))}}
	case m.roles == http.StatusNotFound:
		return []Finding{runtimeFail("aws ec2 associate-iam-instance-profile --instance-id "+id+" --iam-instance-profile Name=P",
			"this is an EC2 instance (%s), and no role is attached to it", orWord(m.instanceID, "its metadata answer"))}
	case m.role != "" && m.code != "":
		fix := "aws iam get-role --role-name " + quoted(m.role) + " --query Role.AssumeRolePolicyDocument"
		return []Finding{runtimeFail(fix, "the role %q of this instance gives no keys (%s): it was deleted, or its trust policy does not name ec2.amazonaws.com", clip(m.role), clip(m.code))}
	case m.hangs && m.roles == 0, m.hangs && m.roles == http.StatusUnauthorized:
		hop := "aws ec2 modify-instance-metadata-options --instance-id " + id + " --http-put-response-hop-limit 2"
		if x.inContainer() && (x.onEC2() || m.roles == http.StatusUnauthorized || m.configured == "") {
			return []Finding{runtimeFail(hop, "the instance's metadata service at %s takes a connection, and its token never comes: in a container that is a hop more than its limit of 1", at)}
		}
		return []Finding{runtimeFail(x.withoutMetadata(m), "what is asked for instance metadata at %s takes a connection and says nothing: programs wait for it and find no credentials", at)}
	case m.met && m.roles == 0 && m.status == 0, !m.met,
		m.configured == "" && !m.genuine && !x.onEC2() && m.roles != http.StatusOK: // a firewall's answer, or a guest network's
		return x.noInstance(m, at, last)
	case m.status == http.StatusForbidden || m.roles == http.StatusForbidden:
		return []Finding{runtimeFail("aws ec2 modify-instance-metadata-options --instance-id "+id+" --http-endpoint enabled",
			"the instance's metadata service at %s is switched off (403)", at)}
	case m.roles == http.StatusUnauthorized:
		return []Finding{runtimeFail("", "the instance's metadata service at %s takes no token (401)", at)}
	}
	return []Finding{runtimeFail(x.withoutMetadata(m), "what answers for instance metadata at %s is none (status %d)", at, max(m.roles, m.status))}
}

// noInstance tells that nobody answers for an instance.
func (x *examination) noInstance(m *metadata, at string, last bool) []Finding {
	if !last {
		return []Finding{runtimeFail("", "credentials are to come from an EC2 instance, and nothing answers at %s: this is none", at)}
	}
	evidence, fix := x.emptyHanded()
	order := orderFinding(Fail, fix, "%s; and this is no EC2 instance", evidence)
	order.Causes = []string{"aws.files", "aws.family", "aws.runtime", "hook", "directory"}
	if x.onKubernetes() || x.onECS() {
		return []Finding{order} // what the pod or the task lacks is told by itself
	}
	waits := Finding{Check: "aws.runtime", Status: Warn, Fix: x.withoutMetadata(m),
		Evidence: fmt.Sprintf("nothing answers for instance metadata at %s: programs wait %s and more for credentials that are not there", at, m.took.Round(100*time.Millisecond))}
	switch {
	case m.configured != "":
		waits.Status = Fail
		waits.Evidence = fmt.Sprintf("%s leads to %s, and nothing answers there for an instance", m.configured, at)
	case m.took < slow:
		waits = Finding{}
	case strings.HasPrefix(fix, "aws configure"):
		waits.Status = Fail // there is nothing else that they could wait for
	}
	if _, variable := x.profileInForce(cli1); variable == "" && m.configured == "" && !strings.HasPrefix(fix, "aws configure") {
		order.Status = Warn // who has profiles names one where it is wanted
	}
	if waits.Check == "" {
		return []Finding{order}
	}
	return []Finding{waits, order}
}

// withoutMetadata keeps programs from asking for instance metadata.
func (x *examination) withoutMetadata(m *metadata) string {
	if strings.HasPrefix(m.configured, "AWS_") && x.has(m.configured) {
		return x.export("AWS_EC2_METADATA_DISABLED", "true") + "; unset " + m.configured
	}
	return x.export("AWS_EC2_METADATA_DISABLED", "true")
}

func orWord(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// containerFindings say why the service that hands out a container's credentials
// gave none.
func (x *examination) containerFindings(v *investigation) []Finding {
	relative, full := x.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), x.env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	variable := "AWS_CONTAINER_CREDENTIALS_FULL_URI"
	if relative != "" {
		variable = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
	}
	away := x.unset("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
	r := v.trial.Refusal
	pod := strings.Contains(full, "169.254.170.23") || strings.Contains(full, "fd00:ec2::23") || x.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") != "" && relative == ""
	switch {
	case r.Host == "" && pod && x.onKubernetes(): // its token cannot be read
		return []Finding{runtimeFail(restartPod, "%s", said(v.trial.Err))}
	case r.Host == "": // nobody was asked: the address is not allowed, or the token cannot be read
		return []Finding{runtimeFail(away, "%s", said(v.trial.Err))}
	case relative != "" && !x.onECS() && r.Code == "": // whatever answers there is no agent of ECS
		return []Finding{runtimeFail(away, "%s is set, and no agent of ECS answers at %s: this is no ECS task", variable, clip(r.Host))}
	case r.Status == 0:
		return []Finding{runtimeFail(away, "%s leads to %s, and nothing answers there", variable, clip(r.Host))}
	case pod:
		return []Finding{runtimeFail("aws eks list-pod-identity-associations --cluster-name C", "EKS Pod Identity refuses this pod: status %d%s; its service account has no role, or the token is another one's", r.Status, inWords(r.Code))}
	}
	return []Finding{runtimeFail(x.taskDefinition(), "the container's credentials at %s are refused: status %d%s", clip(r.Host), r.Status, inWords(r.Code))}
}

func inWords(code string) string {
	if code == "" {
		return ""
	}
	return " (" + clip(code) + ")"
}

// taskDefinition shows which role a task has.
func (x *examination) taskDefinition() string {
	return "aws ecs describe-task-definition --task-definition T --query taskDefinition.taskRoleArn"
}

// checkTask tells of an ECS task without a role of its own: the execution role is
// for pulling its image, and gives its programs nothing.
func checkTask(ctx context.Context, x *examination) []Finding {
	if !x.onECS() || x.has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || x.has("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
		return nil
	}
	if x.servedElsewhere(ctx) {
		return nil
	}
	task := "T"
	address := x.env("ECS_CONTAINER_METADATA_URI_V4")
	if u, err := url.Parse(address + "/task"); err == nil && u.Host != "" {
		if p := x.probe(ctx, u, how{}); p.err == nil && p.status == http.StatusOK {
			var said struct{ Family, Revision string }
			if json.Unmarshal(p.body, &said) == nil && plainArgument().MatchString(said.Family) {
				task = said.Family + ":" + said.Revision
			}
		}
	}
	if !plainArgument().MatchString(task) {
		task = "T"
	}
	return []Finding{runtimeFail("aws ecs describe-task-definition --task-definition "+task+" --query taskDefinition.taskRoleArn",
		"this is an ECS task without a task role: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set; the execution role is not for its programs, taskRoleArn is")}
}

// servedElsewhere says whether another place has credentials: a file, a variable or
// the instance that a container runs on.
func (x *examination) servedElsewhere(ctx context.Context) bool {
	s, _, ok := x.winner(cli1)
	return ok && (s.Kind != "instance" || x.instance(ctx).keys.AccessKeyID != "")
}

// checkPod tells of a pod of EKS whose service account has no role.
func checkPod(ctx context.Context, x *examination) []Finding {
	if !x.onKubernetes() || !x.usesAWS() || x.has("AWS_WEB_IDENTITY_TOKEN_FILE") || x.has("AWS_CONTAINER_CREDENTIALS_FULL_URI") || x.servedElsewhere(ctx) {
		return nil
	}
	_, c := x.tokenClaims(filepath.Join(x.Root, "var/run/secrets/kubernetes.io/serviceaccount/token"))
	who, fix := "its service account", "kubectl annotate sa S eks.amazonaws.com/role-arn=ARN --overwrite"
	if namespace, account, ok := c.serviceAccount(); ok {
		who = fmt.Sprintf("its service account %s in %s", account, namespace)
		fix = fmt.Sprintf("kubectl annotate sa %s -n %s eks.amazonaws.com/role-arn=ARN --overwrite", account, namespace)
	}
	return []Finding{runtimeFail(fix, "this is a pod, and %s has no role: neither AWS_WEB_IDENTITY_TOKEN_FILE nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set", who)}
}

// lambda tells of a function that does not use the keys of its own role.
func (x *examination) lambda(v *investigation) (Finding, bool) {
	name := x.env("AWS_LAMBDA_FUNCTION_NAME")
	if name == "" || !v.asked || v.err != nil {
		return Finding{}, false
	}
	// The session of a function's role bears the function's name.
	if strings.Contains(v.who.ARN, ":assumed-role/") && strings.HasSuffix(v.who.ARN, "/"+name) {
		return Finding{Check: "aws.runtime", Status: OK, Evidence: fmt.Sprintf("the function %s has the keys of its role", clip(name))}, true
	}
	f := Finding{Check: "aws.runtime", Status: Warn, Fix: "aws lambda get-function-configuration --function-name " + quoted(name) + " --query Role",
		Evidence: fmt.Sprintf("this is the Lambda function %s, and the identity is not its role's but %s", clip(name), clip(v.who.ARN))}
	if v.keys.SessionToken.Len() == 0 {
		f.Status = Fail
		f.Evidence += ": there are a user's keys in its code"
	}
	return f, true
}
