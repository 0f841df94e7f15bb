package aws

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind is what an error is about.
type Kind string

// Who is told apart from what they may do: the first question about any refusal.
const (
	Authentication Kind = "authentication" // who asks could not be shown
	Permission     Kind = "permission"     // AWS knows who asks, and a policy says no
	Either         Kind = "authentication or permission"
	Configuration  Kind = "configuration" // AWS was not asked, or the wrong part of it
	Network        Kind = "network"       // no answer, or none of AWS
	Clock          Kind = "clock"
	Throttling     Kind = "throttling"
	Request        Kind = "request" // AWS took the credentials, what was asked is wrong
	Outage         Kind = "outage"  // AWS could not do it
)

// Meaning is what an error code says.
type Meaning struct {
	Kind   Kind
	Proves string   // a clause, without a full stop
	Checks []string // of `ambit doctor` that tell its causes apart; none where a look at this machine cannot
	Local  bool     // the cause stands in variables and files here: no network can tell more
}

// meaning is a row of the table of error codes. Of the rows that have a code, the
// first one counts whose says the message has.
type meaning struct {
	codes []string
	says  []string // in lower case without white space, one of them; none: whatever it says
	Meaning
	riddle bool // what AWS says of it tells a reader less than Proves

	// hint is what to do where ambit itself got the error; nil: nothing.
	hint func(t trouble) string
}

// MeaningOf returns what an error code means beside its message. The codes are
// those of AWS's services, and for what goes wrong before AWS has answered the
// names of botocore's exceptions. It returns false for a code it does not know.
func MeaningOf(code, message string) (Meaning, bool) {
	m, ok := find(code, message)
	return m.Meaning, ok
}

// KnownCodes are all codes of which MeaningOf knows something, each once.
func KnownCodes() []string {
	var codes []string
	for _, m := range meanings {
		codes = append(codes, m.codes...)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func find(code, message string) (meaning, bool) {
	message = strings.ToLower(strings.Join(strings.Fields(message), ""))
	for _, m := range meanings {
		if slices.Contains(m.codes, code) && (len(m.says) == 0 || slices.ContainsFunc(m.says, func(s string) bool { return strings.Contains(message, s) })) {
			return m, true
		}
	}
	return meaning{}, false
}

// runDoctor is the end of a hint where only a look can tell the causes apart.
const runDoctor = `run "ambit doctor"`

// The codes of one failure, which each service calls by a name of its own. Source:
// "Common errors" of the services' API references, and RETRY_EXCEPTIONS of botocore.
var (
	unknownKey    = []string{"InvalidClientTokenId", "UnrecognizedClientException", "UnrecognizedClient", "InvalidAccessKeyId", "InvalidToken", "AuthFailure", "InvalidSecurity", "InvalidSecurityToken"}
	expiredToken  = []string{"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
	badSignature  = []string{"SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignature"}
	denied        = []string{"AccessDenied", "AccessDeniedException", "AccessDeniedFault", "UnauthorizedOperation", "AuthorizationError", "AuthorizationErrorException", "NotAuthorized", "UnauthorizedAccess"}
	badIdentity   = []string{"InvalidIdentityToken", "InvalidIdentityTokenException", "IDPRejectedClaim", "IDPRejectedClaimException", "IDPCommunicationError", "IDPCommunicationErrorException"}
	invalid       = []string{"ValidationError", "ValidationException", "InvalidParameterValue", "InvalidParameter", "InvalidParameterException", "InvalidParameterCombination", "InvalidRequest", "InvalidRequestException", "InvalidAction", "MissingAction", "MissingParameter", "MalformedInput", "MalformedQueryString"}
	throttled     = []string{"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "TooManyRequestsException", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "BandwidthLimitExceeded", "ProvisionedThroughputExceededException", "PriorRequestNotComplete", "EC2ThrottledException", "429"}
	outOfOrder    = []string{"InternalFailure", "InternalError", "InternalServerError", "InternalServerException", "InternalServiceError", "InternalServiceException", "ServiceUnavailable", "ServiceUnavailableException", "ServiceFailure", "500", "502", "503", "504"}
	aboutKeys     = []string{"aws.keys", "aws.family", "aws.order", "aws.token", "aws.files", "aws.region", "aws.endpoint", "aws.runtime"}
	aboutNone     = []string{"aws.order", "aws.family", "aws.files", "aws.token", "aws.runtime", "hook", "directory"}
	aboutTheWay   = []string{"aws.network", "aws.endpoint", "aws.region"}
	aboutTheClock = []string{"aws.clock"}
)

// meanings is all that ambit knows of error codes: what an error at a prompt says,
// and what `ambit explain` does, stands here and nowhere else.
var meanings = []meaning{
	// Authentication.
	{codes: slices.Concat(badSignature, []string{"AuthFailure", "RequestTimeTooSkewed", "AccessDenied"}),
		says:   []string{"signatureexpired", "signaturenotyetcurrent", "toolarge", "tooskewed"},
		riddle: true, Meaning: Meaning{Kind: Clock, Proves: "the clock of the machine that signed is wrong; of the keys it says nothing", Checks: aboutTheClock},
		hint: func(trouble) string { return "set this machine's clock: sudo timedatectl set-ntp true" }},
	{codes: []string{"RequestTimeTooSkewed", "RequestInTheFuture"},
		riddle: true, Meaning: Meaning{Kind: Clock, Proves: "the clock of the machine that signed is wrong; of the keys it says nothing", Checks: aboutTheClock},
		hint: func(trouble) string { return "set this machine's clock: sudo timedatectl set-ntp true" }},
	{codes: slices.Concat(badSignature, []string{"AuthorizationHeaderMalformed"}), says: []string{"credentialshouldbescoped", "scopedtoavalid", "scopedtocorrect"},
		Meaning: Meaning{Kind: Configuration, Proves: "the request was signed for another region or service than the one that was asked", Checks: []string{"aws.region", "aws.endpoint"}},
		hint:    func(trouble) string { return runDoctor }},
	{codes: []string{"AuthorizationHeaderMalformed"}, says: []string{"non-emptyaccesskey", "credentialismal-formed"},
		Meaning: Meaning{Kind: Authentication, Proves: "the access key id is empty, or is none", Checks: []string{"aws.family", "aws.keys", "aws.order", "aws.runtime"}}},
	{codes: badSignature,
		riddle: true, Meaning: Meaning{Kind: Authentication, Proves: "AWS knows the access key id, and the secret access key is not the one that belongs to it", Checks: []string{"aws.keys", "aws.family", "aws.order", "aws.files", "aws.clock", "aws.endpoint"}},
		hint: func(t trouble) string {
			return t.reenter()
		}},
	{codes: []string{"IncompleteSignature", "IncompleteSignatureException", "InvalidHeader"},
		riddle: true, Meaning: Meaning{Kind: Authentication, Proves: "a key has white space, a quote or another character that no key has", Checks: []string{"aws.keys", "aws.family", "aws.order", "aws.files"}},
		hint: func(t trouble) string {
			return t.reenter()
		}},
	{codes: expiredToken, says: []string{"tokenexpired:", "webidentity"},
		riddle: true, Meaning: Meaning{Kind: Authentication, Proves: "the OIDC token for the role has expired", Checks: []string{"aws.token", "aws.clock"}},
		hint: func(trouble) string { return "get a new OIDC token" }},
	{codes: expiredToken,
		riddle: true, Meaning: Meaning{Kind: Authentication, Proves: "AWS knows these temporary keys, and their time is over", Checks: []string{"aws.token", "aws.family", "aws.order", "aws.keys", "aws.clock"}},
		hint: func(t trouble) string {
			if t.web {
				return "get a new OIDC token"
			}
			if t.source == theLogin {
				return "ambit reload"
			}
			return t.look()
		}},
	{codes: unknownKey,
		riddle: true, Meaning: Meaning{Kind: Authentication, Proves: "AWS does not know the access key: it is mistyped, deleted, switched off, or without the session token that belongs to it", Checks: aboutKeys},
		hint: func(t trouble) string { return t.look() }},
	{codes: []string{"MissingAuthenticationToken", "MissingAuthenticationTokenException"},
		Meaning: Meaning{Kind: Authentication, Proves: "the request was not signed, or went to an address that takes none such", Checks: []string{"aws.order", "aws.family", "aws.endpoint"}},
		hint:    func(trouble) string { return runDoctor }},
	{codes: denied, says: []string{"invalidmfa", "multifactorauthentication"},
		Meaning: Meaning{Kind: Authentication, Proves: "the MFA code was wrong, was used before, or is of another device; each one counts once", Checks: []string{"aws.role", "aws.clock"}},
		hint:    func(trouble) string { return `wait for the next code, and ` + runLogin }},
	{codes: []string{"UnauthorizedException", "UnauthorizedSSOTokenError", "SSOTokenLoadError", "TokenRetrievalError", "InvalidGrantException", "InvalidClientException"},
		Meaning: Meaning{Kind: Authentication, Proves: "there is no login to IAM Identity Center, or it has ended", Checks: []string{"aws.token", "aws.order", "aws.files"}},
		hint:    func(trouble) string { return runLogin }},
	{codes: []string{"LoginRefreshRequired", "LoginTokenLoadError", "LoginAuthorizationCodeError"},
		Meaning: Meaning{Kind: Authentication, Proves: "the session of aws login has ended", Checks: []string{"aws.token", "aws.order", "aws.files"}},
		hint:    func(trouble) string { return "aws login" }},
	{codes: badIdentity, says: []string{"verificationkey", "idpcommunication"},
		Meaning: Meaning{Kind: Outage, Proves: "AWS could not fetch the keys of the token's issuer; mostly that passes", Checks: []string{"aws.token"}},
		hint:    func(trouble) string { return "try again in a moment" }},
	{codes: badIdentity,
		Meaning: Meaning{Kind: Authentication, Proves: "AWS does not take the OIDC token: its issuer or audience is not registered in the account, or it is damaged", Checks: []string{"aws.token", "aws.clock"}},
		hint: func(trouble) string {
			return "check the token's issuer and audience: aws iam list-open-id-connect-providers"
		}},
	{codes: []string{"RefreshedCredentialsExpired"},
		Meaning: Meaning{Kind: Authentication, Proves: "AWS_CREDENTIAL_EXPIRATION is past: botocore takes these keys for dead without asking AWS", Checks: []string{"aws.token", "aws.family", "aws.clock"}}},
	{codes: []string{"MalformedExpiration"},
		Meaning: Meaning{Kind: Configuration, Proves: "AWS_CREDENTIAL_EXPIRATION is not a time as botocore writes it, which is RFC 3339", Checks: []string{"aws.token", "aws.family"}, Local: true}},
	{codes: []string{"RefreshWithMFAUnsupportedError"},
		Meaning: Meaning{Kind: Authentication, Proves: "the role wants an MFA code, and this program cannot ask for one", Checks: []string{"aws.role", "aws.order"}},
		hint:    func(trouble) string { return runLogin }},
	{codes: []string{"AssumeRoleUnauthorizedAccess", "InstanceProfileNotFound"},
		Meaning: Meaning{Kind: Configuration, Proves: "the instance may not have the role that is attached to it: it was deleted, or its trust policy does not admit EC2", Checks: []string{"aws.runtime"}},
		hint:    func(trouble) string { return runDoctor }},
	{codes: []string{"RegistryTokenExpired"},
		Meaning: Meaning{Kind: Authentication, Proves: "the registry password of ECR lives 12 hours: docker has an old one, or none", Checks: []string{"aws.keys", "aws.family", "aws.order", "aws.token"}}},

	{codes: []string{"AccessDenied"}, says: []string{"requesthasexpired"},
		Meaning: Meaning{Kind: Authentication, Proves: "the time of a signed URL is over, or that of the keys that signed it", Checks: []string{"aws.token", "aws.clock"}}},

	// Permission.
	{codes: denied, says: []string{"sts:assumerolewithwebidentity"},
		Meaning: Meaning{Kind: Permission, Proves: "the role does not exist, or its trust policy does not admit the token's issuer, audience or subject", Checks: []string{"aws.token", "aws.role"}},
		hint:    roleHint},
	{codes: denied, says: []string{"sts:assumerole", "sts:tagsession", "sts:setsourceidentity"},
		Meaning: Meaning{Kind: Permission, Proves: "the keys are good; the role does not exist, its trust policy does not admit them, or they may not assume roles", Checks: []string{"aws.role", "aws.order"}},
		hint:    roleHint},
	{codes: denied, says: []string{"sessioncredentials", "rootaccounts"},
		Meaning: Meaning{Kind: Request, Proves: "the keys are good, and of a sort with which this cannot be asked", Checks: []string{"aws.order", "aws.family"}},
		hint:    func(trouble) string { return "name a source with a user's own keys" }},
	{codes: denied, says: []string{"explicitdeny"},
		Meaning: Meaning{Kind: Permission, Proves: "AWS knows who asks, and a policy denies it whatever others allow: often one that wants MFA, a network or a newer session", Checks: []string{"aws.order", "aws.role"}},
		hint:    actionHint},
	{codes: denied,
		Meaning: Meaning{Kind: Permission, Proves: "AWS knows who asks: the credentials are good, and no policy allows it", Checks: []string{"aws.order", "aws.role"}},
		hint:    actionHint},
	{codes: []string{"DecryptionFailure", "KMSAccessDeniedException", "KMSInvalidStateException"},
		Meaning: Meaning{Kind: Permission, Proves: "AWS knows who asks, and the key of KMS does not open what was asked for", Checks: []string{"aws.order"}},
		hint:    actionHint},
	{codes: []string{"KubernetesForbidden"},
		Meaning: Meaning{Kind: Permission, Proves: "the cluster knows who asks: the credentials are good, and no role of Kubernetes allows it", Checks: []string{"aws.order"}}},
	{codes: []string{"AllAccessDisabled", "AccountProblem", "Blocked", "PendingVerification"},
		Meaning: Meaning{Kind: Permission, Proves: "AWS knows who asks, and has stopped the account or the bucket: only its owner and AWS can change that", Checks: []string{"aws.order"}}},
	{codes: []string{"ForbiddenException"},
		Meaning: Meaning{Kind: Permission, Proves: "the login is good, and this role is not assigned to it", Checks: []string{"aws.role", "aws.order"}},
		hint: func(t trouble) string {
			if t.portal {
				return "check accountId and roleName, or ask the administrator of IAM Identity Center to assign the permission set"
			}
			return t.list
		}},
	{codes: []string{"401", "403", "Forbidden", "Unauthorized"},
		Meaning: Meaning{Kind: Either, Proves: "the answer says no more than this status: to a HEAD request AWS never says why", Checks: slices.Concat(aboutKeys, []string{"aws.role", "aws.clock"})}},
	{codes: []string{"400"},
		Meaning: Meaning{Kind: Either, Proves: "the answer says no more than this status: to a HEAD request AWS never says why; it stands for an expired token, too", Checks: slices.Concat(aboutKeys, aboutTheClock)}},

	// What was asked.
	{codes: []string{"WrongAccount"},
		Meaning: Meaning{Kind: Configuration, Proves: "the credentials are good, and of another account than the one that was asked for", Checks: []string{"aws.order"}}},
	{codes: invalid, says: []string{"durationseconds"},
		Meaning: Meaning{Kind: Request, Proves: "the role grants fewer seconds than were asked for; a chain of roles never more than an hour", Checks: []string{"aws.role"}},
		hint:    func(trouble) string { return "ask for a shorter duration, such as duration: 1h" }},
	{codes: invalid, says: []string{"webidentitytoken"},
		Meaning: Meaning{Kind: Request, Proves: "what was sent as an OIDC token cannot be one: it is empty, or longer than 20,000 characters", Checks: []string{"aws.token"}},
		hint:    func(trouble) string { return "get a new OIDC token, or name another source of it" }},
	{codes: invalid, says: []string{"rolesessionname"},
		Meaning: Meaning{Kind: Request, Proves: "the name of the session has a character that none may have, or is too short or too long", Checks: []string{"aws.role"}},
		hint:    func(trouble) string { return "sessionName: 2 to 64 letters, digits and _+=,.@-" }},
	{codes: invalid, says: []string{"rolearn", "isinvalid"},
		Meaning: Meaning{Kind: Request, Proves: "what was given as a role is no ARN of one", Checks: []string{"aws.role"}},
		hint:    func(trouble) string { return "roleArn: like arn:aws:iam::123456789012:role/dev" }},
	{codes: invalid, says: []string{"serialnumber", "tokencode"},
		Meaning: Meaning{Kind: Request, Proves: "what was given as an MFA device or its code cannot be one", Checks: []string{"aws.role"}},
		hint: func(trouble) string {
			return "mfaSerial: like arn:aws:iam::123456789012:mfa/NAME; a code has six digits"
		}},
	{codes: invalid, says: []string{"markedfordeletion"},
		Meaning: Meaning{Kind: Request, Proves: "the secret is about to be deleted"},
		hint:    func(trouble) string { return "aws secretsmanager restore-secret --secret-id ID brings it back" }},
	{codes: invalid,
		Meaning: Meaning{Kind: Request, Proves: "AWS took the credentials and does not understand what was asked"}},
	{codes: []string{"MalformedPolicyDocument", "MalformedPolicyDocumentException"},
		Meaning: Meaning{Kind: Request, Proves: "the session policy that was sent is no policy document"},
		hint:    func(trouble) string { return "correct the input policy: it must be a policy document in JSON" }},
	{codes: []string{"PackedPolicyTooLarge", "PackedPolicyTooLargeException"},
		Meaning: Meaning{Kind: Request, Proves: "session policies and tags together are larger than AWS takes"},
		hint:    func(trouble) string { return "shorten policy, policyArns or sessionTags" }},
	{codes: []string{"ParameterNotFound", "ParameterVersionNotFound", "ResourceNotFoundException", "ResourceNotFound"},
		Meaning: Meaning{Kind: Request, Proves: "AWS took the credentials; what was asked for is not in this account and region", Checks: []string{"aws.order", "aws.region"}},
		hint: func(t trouble) string {
			if t.portal {
				return "check accountId and roleName, or ask the administrator of IAM Identity Center to assign the permission set"
			}
			return t.list
		}},
	{codes: []string{"NoSuchBucket", "NoSuchKey", "NoSuchEntity", "404"},
		Meaning: Meaning{Kind: Request, Proves: "AWS took the credentials; what was asked for is not in this account and region", Checks: []string{"aws.order", "aws.region"}}},
	{codes: throttled,
		Meaning: Meaning{Kind: Throttling, Proves: "the credentials are good; AWS answers too many requests, of anybody in this account"},
		hint:    func(trouble) string { return "wait a moment" }},
	{codes: outOfOrder,
		Meaning: Meaning{Kind: Outage, Proves: "AWS is out of order, or what stands between; it passes", Checks: []string{"aws.network", "aws.endpoint"}},
		hint:    func(trouble) string { return "try again in a moment" }},

	// Where it was asked.
	{codes: []string{"RegionDisabledException"},
		Meaning: Meaning{Kind: Configuration, Proves: "this region is not enabled in the account", Checks: []string{"aws.region"}},
		hint: func(t trouble) string {
			return fmt.Sprintf("aws account enable-region --region-name %s, or choose another region", t.region)
		}},
	{codes: []string{"OptInRequired", "SubscriptionRequiredException", "NotSignedUp"},
		Meaning: Meaning{Kind: Configuration, Proves: "the account is not signed up for this service or region", Checks: []string{"aws.region", "aws.order"}},
		hint:    func(trouble) string { return runDoctor }},
	{codes: []string{"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"},
		Meaning: Meaning{Kind: Configuration, Proves: "the bucket is in another region than the one that was asked", Checks: []string{"aws.region"}}},
	{codes: []string{"NoRegionError", "InvalidRegionError", "UnknownRegionError", "UnknownEndpointError"},
		Meaning: Meaning{Kind: Configuration, Proves: "the program knows no region, or one that there is not; AWS was not asked", Checks: []string{"aws.region", "aws.order"}, Local: true}},
	{codes: []string{"InvalidEndpoint"},
		Meaning: Meaning{Kind: Configuration, Proves: "the address to ask, or the region it is made from, is malformed; AWS was not asked", Checks: []string{"aws.endpoint", "aws.region"}, Local: true}},

	// What is configured.
	{codes: []string{"NoCredentialsError"},
		Meaning: Meaning{Kind: Configuration, Proves: "the program found no credentials, wherever it looked; AWS was not asked", Checks: aboutNone}},
	{codes: []string{"PartialCredentialsError"},
		Meaning: Meaning{Kind: Configuration, Proves: "one half of a pair of keys is missing; AWS was not asked", Checks: []string{"aws.family", "aws.keys", "aws.files", "aws.order"}, Local: true}},
	{codes: []string{"ProfileNotFound"},
		Meaning: Meaning{Kind: Configuration, Proves: "there is no profile of that name; AWS was not asked", Checks: []string{"aws.order", "aws.files"}, Local: true}},
	{codes: []string{"InvalidConfigError", "InfiniteLoopConfigError"},
		Meaning: Meaning{Kind: Configuration, Proves: "a profile says something that leads to no credentials; AWS was not asked", Checks: []string{"aws.order", "aws.files"}, Local: true}},
	{codes: []string{"ConfigParseError", "ConfigNotFound"},
		Meaning: Meaning{Kind: Configuration, Proves: "a file of the AWS configuration cannot be read; AWS was not asked", Checks: []string{"aws.files"}, Local: true}},
	{codes: []string{"CredentialRetrievalError"},
		Meaning: Meaning{Kind: Configuration, Proves: "the program or service that was to hand out the credentials did not", Checks: []string{"aws.order", "aws.role", "aws.runtime", "aws.token", "aws.files"}}},
	{codes: []string{"TokenFileError"},
		Meaning: Meaning{Kind: Configuration, Proves: "the file of the OIDC token cannot be read; AWS was not asked", Checks: []string{"aws.token", "aws.runtime"}}},
	{codes: []string{"NoIDTokenPermission"},
		Meaning: Meaning{Kind: Configuration, Proves: "the job may not have an OIDC token: it lacks permissions: id-token: write"}},
	{codes: []string{"MetadataRetrievalError"},
		Meaning: Meaning{Kind: Configuration, Proves: "the container or instance was asked for its role's credentials, and had none or was none", Checks: []string{"aws.order", "aws.runtime", "aws.token"}}},
	{codes: []string{"MissingDependencyException"},
		Meaning: Meaning{Kind: Configuration, Proves: "the program lacks a part that this kind of login needs; AWS was not asked"}},

	// The way there.
	{codes: []string{"EndpointConnectionError"},
		Meaning: Meaning{Kind: Network, Proves: "no connection came about; AWS did not see the credentials", Checks: aboutTheWay}},
	{codes: []string{"NameResolutionError"},
		Meaning: Meaning{Kind: Network, Proves: "the name of the host cannot be looked up: no network, a name server that fails, or a region that there is not", Checks: []string{"aws.region", "aws.network", "aws.endpoint"}}},
	{codes: []string{"ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError"},
		Meaning: Meaning{Kind: Network, Proves: "nobody answered in time, or the connection was cut", Checks: aboutTheWay}},
	{codes: []string{"ProxyConnectionError"},
		Meaning: Meaning{Kind: Network, Proves: "the proxy cannot be reached, or wants a password", Checks: []string{"aws.network"}}},
	{codes: []string{"SSLError"},
		Meaning: Meaning{Kind: Network, Proves: "whoever answered could not show that it is AWS: a proxy that opens TLS, a wrong clock, or another host", Checks: []string{"aws.network", "aws.clock", "aws.endpoint", "aws.files"}}},
	{codes: []string{"ResponseParserError"},
		Meaning: Meaning{Kind: Network, Proves: "somebody else than AWS answered: a login page, a proxy, or another endpoint", Checks: []string{"aws.network", "aws.endpoint"}}},
}

// keys names whose keys signed.
func (t trouble) keys() string {
	if t.source == "" {
		return "the keys"
	}
	return t.source
}

// theLogin is the source of keys that ambit got itself.
const theLogin = "the login"

// look is what to do where the source of the keys does not say it.
func (t trouble) look() string {
	if t.source == "" {
		return runDoctor
	}
	return fmt.Sprintf("it was signed with %s: %s", t.source, runDoctor)
}

// reenter is how a person gives the keys that signed anew.
func (t trouble) reenter() string {
	if quoted, ok := strings.CutPrefix(t.source, "profile "); ok {
		if name, err := strconv.Unquote(quoted); err == nil {
			return "enter them again: aws configure --profile " + Word(name)
		}
	}
	return t.look()
}

func roleHint(t trouble) string {
	switch {
	case t.web:
		return fmt.Sprintf("role %q does not exist, or its trust policy does not admit this token's issuer, audience or subject: %s", roleName(t.role), roleCommand(t.role))
	case t.role != "":
		return fmt.Sprintf("role %q does not exist, or it or %s does not permit it: %s", roleName(t.role), t.keys(), roleCommand(t.role))
	}
	return "ask an administrator for the permission"
}

// roleCommand shows who may assume a role.
func roleCommand(role string) string {
	return fmt.Sprintf("aws iam get-role --role-name %s --query Role.AssumeRolePolicyDocument", Word(roleName(role)))
}

func actionHint(t trouble) string {
	switch {
	case t.role != "":
		return roleHint(t)
	case t.action != "":
		return fmt.Sprintf("%s needs the permission %s, and kms:Decrypt for a key of your own", t.keys(), t.action)
	}
	return "ask an administrator for the permission"
}
