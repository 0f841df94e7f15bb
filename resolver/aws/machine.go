package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"ambit/resolver"
	"ambit/resolver/safefile"
	"ambit/resolver/secret"
)

// machineStep is the keys that this machine is given: a container by its
// orchestrator, an instance by its metadata service. Wanted is a credential_source,
// or "" for whichever there is; p may be nil. Nil means that nothing of this is
// configured. An instance's metadata service is asked only if something names it:
// elsewhere the question costs seconds, and anybody on the network could answer it.
func (o *opening) machineStep(wanted string, p *config.SharedConfig, source string) *step {
	if wanted == "EcsContainer" || wanted == "" {
		if address, found := o.containerAddress(); found {
			return o.containerStep(address, p, source)
		}
	}
	if wanted == "Ec2InstanceMetadata" || wanted == "" {
		if options, enabled := o.instanceOptions(wanted != "", p); enabled {
			return o.instanceStep(options, p, source)
		}
	}
	return nil
}

// containerAddress is where a container asks. Source: "Container credential
// provider" in the AWS SDKs and Tools Reference Guide.
func (o *opening) containerAddress() (string, bool) {
	relative, _ := o.call.Env.Lookup("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
	full, _ := o.call.Env.Lookup("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if relative != "" {
		return "http://169.254.170.2" + relative, true
	}
	return full, full != ""
}

// machineKeys is what containers and instances answer.
type machineKeys struct {
	Code, Message                      string
	AccessKeyID                        string `json:"AccessKeyId"`
	SecretAccessKey, Token, Expiration string
	RoleARN                            string `json:"RoleArn"`
}

func (m machineKeys) keys() (keys, error) {
	if m.AccessKeyID == "" || m.SecretAccessKey == "" {
		return keys{}, errNonsense
	}
	k := keys{id: m.AccessKeyID, secret: secret.New(m.SecretAccessKey), token: secret.New(m.Token), arn: m.RoleARN, role: true}
	if m.Expiration != "" {
		at, err := time.Parse(time.RFC3339, m.Expiration)
		if err != nil {
			return keys{}, errNonsense
		}
		k.expiration = at.UTC()
	}
	return k, nil
}

func (o *opening) containerStep(address string, p *config.SharedConfig, source string) *step {
	return &step{
		key:    keyOf(map[string]any{"kind": "container", "address": address}),
		source: source, link: Link{Kind: "container"}, role: true, kept: true,
		fetch: func(ctx context.Context, _ *keys) (keys, time.Duration, error) {
			if err := localAddress(address); err != nil {
				return keys{}, 0, err
			}
			header := http.Header{}
			bearer, err := o.containerToken()
			if err != nil {
				return keys{}, 0, err
			}
			if bearer != "" {
				header.Set("Authorization", bearer)
			}
			client := o.newHTTPClient(p)
			var got machineKeys
			err = o.getJSON(ctx, client, address, header, &got)
			var k keys
			if err == nil {
				k, err = got.keys()
			}
			if err != nil {
				return keys{}, 0, machineError(ctx, err, client, "the container's credentials service",
					"check the task role or the pod identity, and AWS_CONTAINER_*", secret.New(bearer))
			}
			return k, 0, nil
		},
	}
}

// localAddress refuses an address to which the container's token must not be
// sent in the clear: any but this machine's and the orchestrators'.
func localAddress(address string) error {
	u, err := url.Parse(address)
	if err == nil && u.Scheme == "https" && u.Host != "" {
		return nil
	}
	if err == nil && u.Scheme == "http" {
		ip, err := netip.ParseAddr(u.Hostname())
		if u.Hostname() == "localhost" || err == nil && (ip.IsLoopback() || slices.Contains([]string{"169.254.170.2", "169.254.170.23", "fd00:ec2::23"}, ip.String())) {
			return nil
		}
	}
	return &resolver.OpenError{Kind: resolver.KindRefused,
		Summary: "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither an https address nor one of this machine or its orchestrator",
		Hint:    "unset AWS_CONTAINER_CREDENTIALS_FULL_URI"}
}

// containerToken is read at each acquisition: the file rotates.
func (o *opening) containerToken() (string, error) {
	if path, _ := o.call.Env.Lookup("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); path != "" {
		b, err := safefile.Read(path)
		text := strings.TrimSpace(string(b))
		if err == nil && strings.ContainsAny(text, "\r\n") {
			err = errors.New("holds more than one line")
		}
		if err != nil {
			o.files = append(o.files, path)
			return "", &resolver.OpenError{Kind: resolver.KindRefused, Err: err,
				Summary: fmt.Sprintf("the container's token file %q cannot be used: %v", path, withoutPath(err)), Hint: "check AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"}
		}
		o.retryOn(path)
		return text, nil
	}
	text, _ := o.call.Env.Lookup("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if strings.ContainsAny(text, "\r\n") {
		return "", &resolver.OpenError{Kind: resolver.KindRefused, Summary: "AWS_CONTAINER_AUTHORIZATION_TOKEN holds more than one line", Hint: "unset it"}
	}
	return text, nil
}

// instanceOptions says where the metadata service is, and whether to ask it.
func (o *opening) instanceOptions(wanted bool, p *config.SharedConfig) (imds.Options, bool) {
	endpoint, _ := o.call.Env.Lookup("AWS_EC2_METADATA_SERVICE_ENDPOINT")
	mode, _ := o.call.Env.Lookup("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")
	disabled, _ := o.call.Env.Lookup("AWS_EC2_METADATA_DISABLED")
	enabled := wanted || endpoint != "" || strings.EqualFold(disabled, "false")
	options := imds.Options{Endpoint: endpoint, ClientEnableState: imds.ClientEnabled}
	if strings.EqualFold(mode, "IPv6") {
		options.EndpointMode = imds.EndpointModeStateIPv6
	}
	withoutToken := !o.switchedOn("AWS_EC2_METADATA_V1_DISABLED")
	if p != nil {
		enabled = enabled || p.EC2IMDSEndpoint != ""
		if options.Endpoint == "" {
			options.Endpoint = p.EC2IMDSEndpoint
		}
		if mode == "" {
			options.EndpointMode = p.EC2IMDSEndpointMode
		}
		withoutToken = withoutToken && (p.EC2IMDSv1Disabled == nil || !*p.EC2IMDSv1Disabled)
	}
	if options.Endpoint == "" { // else the SDK would look into this process's environment
		options.Endpoint = "http://169.254.169.254"
		if options.EndpointMode == imds.EndpointModeStateIPv6 {
			options.Endpoint = "http://[fd00:ec2::254]"
		}
	}
	options.EnableFallback = sdk.BoolTernary(withoutToken)
	return options, enabled && !strings.EqualFold(disabled, "true")
}

func (o *opening) instanceStep(options imds.Options, p *config.SharedConfig, source string) *step {
	return &step{
		key:    keyOf(map[string]any{"kind": "instance", "endpoint": options.Endpoint}),
		source: source, link: Link{Kind: "instance"}, role: true, kept: true,
		fetch: func(ctx context.Context, _ *keys) (keys, time.Duration, error) {
			client := o.newHTTPClient(p)
			options.HTTPClient, options.Retryer = client, retryer(o.limits)
			service := imds.New(options)
			const roles = "iam/security-credentials/"
			role, err := metadata(ctx, service, roles)
			var got machineKeys
			if err == nil {
				role, _, _ = strings.Cut(strings.TrimSpace(role), "\n")
				var body string
				if body, err = metadata(ctx, service, roles+url.PathEscape(role)); err == nil && json.Unmarshal([]byte(body), &got) != nil {
					err = errNonsense
				}
			} else if _, a := client.answered(); a != nil && a.status == http.StatusNotFound {
				return keys{}, 0, &resolver.OpenError{Kind: resolver.KindRefused, Err: quiet{err},
					Summary: "no role is attached to this instance",
					Hint:    "aws ec2 associate-iam-instance-profile --instance-id I --iam-instance-profile Name=P"}
			}
			var k keys
			switch {
			case err == nil && got.Code != "" && got.Code != "Success":
				return keys{}, 0, &resolver.OpenError{Kind: resolver.KindRefused,
					Summary: fmt.Sprintf("the role of this instance gives no keys: %s: %s", clip(oneLine(got.Code), 80), strings.TrimRight(clip(oneLine(got.Message), 300), ". ")),
					Hint:    "check that the role exists and that its trust policy names ec2.amazonaws.com: " + roleCommand(clip(role, 64))}
			case err == nil:
				k, err = got.keys()
			}
			if err != nil {
				return keys{}, 0, machineError(ctx, err, client, "the instance's metadata service",
					"in a container: aws ec2 modify-instance-metadata-options --instance-id I --http-put-response-hop-limit 2; elsewhere: export AWS_EC2_METADATA_DISABLED=true")
			}
			return k, 0, nil
		},
	}
}

func metadata(ctx context.Context, service *imds.Client, path string) (string, error) {
	out, err := service.GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
	if err != nil {
		return "", err
	}
	defer out.Content.Close()
	b, err := io.ReadAll(out.Content)
	return string(b), err
}

// machineError words why a machine's own service gave no keys.
func machineError(ctx context.Context, err error, client *httpClient, what, hint string, secrets ...secret.Text) error {
	if errors.Is(err, context.Canceled) && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return context.Canceled
	}
	open := &resolver.OpenError{Kind: resolver.KindNetwork, Hint: hint, Err: quiet{err}}
	host, a := client.answered()
	if _, _, err := net.SplitHostPort(host); err == nil || host != "" {
		what += " at " + host
	}
	switch {
	case a == nil:
		_, format, arg := unreachable(err, what)
		open.Summary = fmt.Sprintf(format, arg)
	case a.err != nil:
		open.Summary = what + " did not finish its answer"
	case a.status >= 300 && a.status < 400:
		open.Summary = what + " answered with a redirect, which is not followed"
	case a.status >= 500 || a.status == http.StatusTooManyRequests:
		open.Summary = fmt.Sprintf("%s is out of order: %d %s", what, a.status, http.StatusText(a.status))
	case a.status >= 400:
		open.Kind = resolver.KindRefused
		open.Summary = fmt.Sprintf("%s refused: %d %s", what, a.status, http.StatusText(a.status))
		var said struct{ Code, Message string }
		if json.Unmarshal(a.head.Bytes(), &said) == nil && said.Code != "" {
			open.Summary = fmt.Sprintf("%s refused: %s: %s", what, clip(oneLine(scrub(said.Code, secrets...)), 80), clip(oneLine(scrub(said.Message, secrets...)), 300))
		}
	default:
		open.Summary = fmt.Sprintf("%s answered something that is not an answer of it (status %d)", what, a.status)
	}
	return open
}
