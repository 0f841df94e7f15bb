package doctor

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"ambit/resolver/aws"
)

// pattern is how programs say an error. Texts are matched without white space,
// quotes and backslashes; the anchor in lower case too.
//
// The texts are those that the programs print: AWS CLI 1.45 and botocore 1.43, the
// SDKs for Go (v1.55, v2), for JavaScript (v2, v3), for Java (v1, v2), for .NET,
// PHP, Ruby and Rust, Terraform 1.11 and its provider, Pulumi, kubectl, docker.
// testdata/explain has what they printed.
type pattern struct {
	anchor   string
	re       *regexp.Regexp // at the anchor; its groups are fields of [Recognised]
	code     string         // where the text has none
	program  string
	strength strength
	context  bool   // other programs say it too: only in a text about AWS
	since    string // the sentence begins with this, a little before the anchor; "": at the anchor, or behind the code

	// refine looks around and may change the error, or say that it is none.
	refine func(p *passage, at, end int, r *Recognised) bool
}

const (
	awsCLI    = "AWS CLI"
	boto      = "boto3"
	goV1      = "AWS SDK for Go v1"
	goV2      = "AWS SDK for Go v2"
	javaV1    = "AWS SDK for Java v1"
	javaV2    = "AWS SDK for Java v2"
	jsV2      = "AWS SDK for JavaScript v2"
	jsV3      = "AWS SDK for JavaScript v3"
	dotNET    = "AWS SDK for .NET"
	php       = "AWS SDK for PHP"
	ruby      = "AWS SDK for Ruby"
	rust      = "AWS SDK for Rust"
	terraform = "Terraform"
)

// programs are told by words around an error; the outermost comes first. Marks are
// in the form of passage.lower.
var programs = []struct {
	name  string
	marks []string
}{
	{"OpenTofu", []string{"registry.opentofu.org", "opentofu"}},
	{terraform, []string{"terraformawsprovider", "registry.terraform.io", "provider.terraform-provider-aws", "developer.hashicorp.com/terraform", "initializingthebackend", "error:validatingprovidercredentials", "provider.aws:", "provider[aws", "failedtogetexistingworkspaces", ".tfline"}},
	{"Pulumi", []string{"pulumi"}},
	{"kubectl", []string{"memcache.go:", "unabletoconnecttotheserver:", "executableawsfailedwithexitcode", "youmustbeloggedintotheserver", "getawsauthtoken"}},
	{"docker", []string{"nobasicauthcredentials", "yourauthorizationtokenhasexpired", "errorresponsefromdaemon"}},
	{"git", []string{"fatal:unabletoaccesshttps://git-codecommit"}},
	{"GitHub Actions", []string{"configure-aws-credentials", "couldnotassumerolewithoidc", "pleasecheckyouractioninputs"}},
	{javaV2, []string{"software.amazon.awssdk", "(service:sts,statuscode"}},
	{javaV1, []string{"com.amazonaws.", "amazonservicefailure"}},
	{jsV3, []string{"@aws-sdk/", "@smithy/", "credentialsprovidererror", "$metadata", "$fault"}},
	{jsV2, []string{"aws-sdk/lib/", "setaws_sdk_load_config=1"}},
	{dotNET, []string{"amazon.runtime.", "amazon.securitytoken", "amazon.s3.", "awssdk.core"}},
	{php, []string{"awsexception", "aws/aws-sdk-php", "awss3exception", "awsstsexception", "guzzlehttp"}},
	{ruby, []string{"aws::errors", "::errors::", "aws-sdk-core"}},
	{rust, []string{"aws_config", "aws_smithy", "aws_sdk_", "sdkerror", "dispatchfailure", "serviceerror(serviceerror"}},
	{awsCLI, []string{"awscli/clidriver.py", "awscli.clidriver", "aws:[error]"}},
	{boto, []string{"botocore.exceptions", "botocore.errorfactory", "botocore/", "boto3"}},
	{goV2, []string{"operationerror", "apierror"}},
	{goV1, []string{"statuscode:", "requesterror:sendrequestfailed", "awserr"}},
}

const profileName = `(?P<profile>[^()\[\]:,]{1,120}?)`

// patterns are all of them, made when they are first asked for: other commands of
// the program are not to wait for it.
var patterns = sync.OnceValue(func() []pattern {
	return slices.Concat(of(structure, structures()), of(wording, wordings()), hints())
})

func of(s strength, patterns []pattern) []pattern {
	for i := range patterns {
		patterns[i].strength = s
	}
	return patterns
}

// wordCodes are looked for as words.
var wordCodes = sync.OnceValue(func() []string {
	return slices.DeleteFunc(aws.KnownCodes(), func(code string) bool {
		return len(code) < 5 || code == "Forbidden" // a number is no word
	})
})

// structures are programs' own ways.
func structures() []pattern {
	return []pattern{
		// AWS CLI and boto3. Source: botocore/exceptions.py.
		{anchor: "anerroroccurred(", re: regexp.MustCompile(`^(?i)anerroroccurred\((?P<code>[A-Za-z0-9._:-]{1,80})\)whencallingthe(?P<op>[A-Za-z0-9]{1,64})operation(?:\(reachedmaxretries:\d+\))?`), program: awsCLI, refine: emptyAnswer},
		{anchor: "unabletolocatecredentials", code: "NoCredentialsError", program: awsCLI},
		{anchor: "unabletolocateauthorizationtoken", code: "SSOTokenLoadError", program: awsCLI},
		{anchor: "partialcredentialsfoundin", code: "PartialCredentialsError", program: awsCLI},
		{anchor: "theconfigprofile(", re: regexp.MustCompile(`^(?i)theconfigprofile\(` + profileName + `\)couldnotbefound`), code: "ProfileNotFound", program: awsCLI},
		{anchor: "youmustspecifyaregion", code: "NoRegionError", program: awsCLI},
		{anchor: "providedregion_name", code: "InvalidRegionError", program: awsCLI},
		{anchor: "couldnotconnecttotheendpointurl:", code: "EndpointConnectionError", program: awsCLI, refine: ofMachine},
		{anchor: "connecttimeoutonendpointurl:", code: "ConnectTimeoutError", program: awsCLI, refine: ofMachine},
		{anchor: "readtimeoutonendpointurl:", code: "ReadTimeoutError", program: awsCLI, refine: ofMachine},
		{anchor: "connectionwasclosedbeforewereceivedavalidresponse", code: "ConnectionClosedError", program: awsCLI},
		{anchor: "failedtoconnecttoproxyurl", code: "ProxyConnectionError", program: awsCLI},
		{anchor: "sslvalidationfailedfor", code: "SSLError", program: awsCLI},
		{anchor: "couldnotfindasuitabletlscacertificatebundle", code: "SSLError", program: awsCLI},
		{anchor: "unabletoparseconfigfile:", code: "ConfigParseError", program: awsCLI},
		{anchor: "thespecifiedconfigfile(", code: "ConfigNotFound", program: awsCLI},
		{anchor: "unabletoparseresponse(", code: "ResponseParserError", program: awsCLI},
		{anchor: "errorwhenretrievingcredentialsfrom", code: "CredentialRetrievalError", program: awsCLI, refine: fromMachine},
		{anchor: "errorretrievingmetadata:", code: "MetadataRetrievalError", program: awsCLI},
		{anchor: "canonlyretrievemetadatafrom", code: "MetadataRetrievalError", program: awsCLI},
		{anchor: "errorwhenretrievingtokenfrom", code: "TokenRetrievalError", program: awsCLI},
		{anchor: "errorloadingssotoken", code: "SSOTokenLoadError", program: awsCLI},
		{anchor: "thessosessionassociatedwiththisprofilehasexpired", code: "UnauthorizedSSOTokenError", program: awsCLI},
		{anchor: "errorloadingloginsessiontoken", code: "LoginTokenLoadError", program: awsCLI},
		{anchor: "pleasereauthenticateusingawslogin", code: "LoginRefreshRequired", program: awsCLI},
		{anchor: "therefreshedcredentialsarestillexpired", code: "RefreshedCredentialsExpired", program: awsCLI},
		{anchor: "infiniteloopincredentialconfiguration", code: "InfiniteLoopConfigError", program: awsCLI},
		{anchor: "thesource_profile", re: regexp.MustCompile(`^(?i)thesource_profile.{1,150}?referencedintheprofile(?P<profile>.{1,120}?)doesnotexist`), code: "InvalidConfigError", program: awsCLI},
		{anchor: "thesourceprofile", re: regexp.MustCompile(`^(?i)thesourceprofile(?P<profile>.{1,120}?)musthavecredentials`), code: "InvalidConfigError", program: awsCLI},
		{anchor: "isconfiguredtousessobutismissingrequiredconfiguration", code: "InvalidConfigError", since: "profile"},
		{anchor: "containsbothsource_profileandcredential_source", code: "InvalidConfigError", program: awsCLI, since: "theprofile"},
		{anchor: "butnosourceproviderwasconfigured", code: "InvalidConfigError", program: awsCLI, since: "thecredential_source"},
		{anchor: "thecredentialsource", re: regexp.MustCompile(`^(?i)thecredentialsource.{1,60}?referencedinprofile(?P<profile>.{1,120}?)isnotvalid`), code: "InvalidConfigError", program: awsCLI},
		{anchor: "thespecifiedsso-sessiondoesnotexist", code: "InvalidConfigError", program: awsCLI},
		{anchor: "credentialproviderrequiresanadditionaldependency", code: "MissingDependencyException", program: awsCLI, since: "missingdependency"},
		{anchor: "invalidheadervalueb", code: "InvalidHeader", program: awsCLI},
		{anchor: "cannotrefreshcredentials:mfatokenrequired", code: "RefreshWithMFAUnsupportedError", program: boto},
		{anchor: "entermfacodefor", code: "RefreshWithMFAUnsupportedError", program: awsCLI},

		// Go.
		{anchor: "apierror", re: regexp.MustCompile(`^(?i)apierror(?P<code>[A-Za-z0-9._-]{1,80}):`), program: goV2, refine: unknownByGo},
		// A modelled error stands without its "api error".
		{anchor: "requestid:", re: regexp.MustCompile(`^(?i:requestid:)[^,:]{0,60},(?:(?i:hostid):[^,:]{0,120},)?(?P<code>[A-Z][A-Za-z]{2,60}):`), program: goV2, refine: modelled},
		{anchor: "staticcredentialsareempty", code: "NoCredentialsError", program: goV2},
		{anchor: "emptystaticcreds:", code: "NoCredentialsError", program: goV1},
		{anchor: "onlyonecredentialtypemaybespecifiedperprofile", code: "InvalidConfigError", program: goV2},
		{anchor: "failedtofindssosessionsection", code: "InvalidConfigError", program: goV2},
		{anchor: "failedtoloadassumerole", re: regexp.MustCompile(`^(?i)failedtoloadassumerole.{1,200}?,ofprofile(?P<profile>[^,]{1,120}?),`), code: "InvalidConfigError", program: goV2},
		{anchor: "partialcredentialsfoundforprofile", code: "PartialCredentialsError", program: goV2},
		{anchor: "credential_sourcevaluesmustbe", code: "InvalidConfigError", program: goV2},
		{anchor: "ecscontainerwasspecifiedasthecredential_source", code: "MetadataRetrievalError", program: goV2},
		{anchor: "onlyloopback/ecs/ekshostsareallowed", code: "MetadataRetrievalError", program: goV2, since: "invalidendpointhost"},
		{anchor: "failedtoparsecachedssotokenfile", code: "SSOTokenLoadError", program: goV2},
		{anchor: "noec2imdsrolefound", code: "NoCredentialsError", program: goV2},
		{anchor: "nocredentialproviders:", code: "NoCredentialsError", program: goV1},
		{anchor: "failedtogetsharedconfigprofile,", code: "ProfileNotFound", program: goV2, refine: profileToLineEnd},
		{anchor: "failedtoreadcachedssotoken", code: "SSOTokenLoadError", program: goV2},
		{anchor: "cachedssotoken", re: regexp.MustCompile(`^(?i)cachedssotoken(is|must|has|file)[^:]{0,40}(expired|invalid|absent|present)`), code: "TokenRetrievalError", program: goV2},
		{anchor: "thessosessionhasexpiredorisinvalid", code: "TokenRetrievalError", program: goV1},
		{anchor: "processprovidererror:", code: "CredentialRetrievalError", program: goV2},
		{anchor: "processproviderexecutionerror", code: "CredentialRetrievalError", program: goV1},
		{anchor: "failedtoloadcredentials,", code: "MetadataRetrievalError", program: goV2},
		{anchor: "failedtoretrievejwt", code: "TokenFileError", program: goV2},
		{anchor: "failedfetchingwebidentitytoken", code: "TokenFileError", program: goV1},
		{anchor: "sharedconfigloaderror:", code: "ConfigParseError", program: goV1},
		{anchor: "failedtoloadsharedconfigfile,", code: "ConfigParseError", program: goV2},
		{anchor: "assumerolewithmfaenabled", code: "RefreshWithMFAUnsupportedError", program: goV2},
		{anchor: "invalidconfiguration:missingregion", code: "NoRegionError", program: goV2},
		{anchor: "missingregion:couldnotfindregion", code: "NoRegionError", program: goV1},
		{anchor: "deserializationfailed,failedtodecoderesponsebody", code: "ResponseParserError", program: goV2},
		{anchor: "requestsendfailed", program: goV2, refine: goTransport},
		{anchor: "sendrequestfailed", program: goV1, refine: goTransport},

		// Terraform and Pulumi, which have the SDK for Go inside.
		{anchor: "invalidawsregion:", code: "InvalidRegionError", program: terraform},
		{anchor: "missingregionconfiguration", code: "NoRegionError", program: terraform},
		{anchor: "unabletodiscoverawsaccesskeyid", code: "NoCredentialsError", program: "Pulumi"},
		{anchor: "missingrequiredconfigurationvariableaws:region", code: "NoRegionError", program: "Pulumi"},

		// Java.
		{anchor: "(service:", re: regexp.MustCompile(`^(?i)\(Service:(?P<service>[A-Za-z0-9 ]{1,60});StatusCode:(?P<status>\d{3});ErrorCode:(?P<code>[A-Za-z0-9._]{1,80});`), program: javaV1, refine: sentenceBefore},
		{anchor: "unabletoloadcredentialsfromanyoftheproviders", code: "NoCredentialsError", program: javaV2},
		{anchor: "unabletoloadawscredentialsfromany", code: "NoCredentialsError", program: javaV1},
		{anchor: "unabletoloadregionfromany", code: "NoRegionError", program: javaV2},
		{anchor: "unabletofindaregionviatheregionproviderchain", code: "NoRegionError", program: javaV1},
		{anchor: "unabletoexecutehttprequest", program: javaV2, refine: javaTransport},

		// JavaScript.
		{anchor: "missingcredentialsinconfig", code: "NoCredentialsError", program: jsV2},
		{anchor: "couldnotbefoundorparsedinsharedcredentialsfile", code: "ProfileNotFound", program: jsV3},
		{anchor: "couldnotresolvecredentialsusingprofile", re: regexp.MustCompile(`^(?i)couldnotresolvecredentialsusingprofile:?\[` + profileName + `\]`), code: "ProfileNotFound", program: jsV3},
		{anchor: "thessosession", re: regexp.MustCompile(`^(?i)thessosession(token)?associatedwith(this)?profile(=(?P<profile>[^,]{1,120}?))?(wasnotfoundorisinvalid|hasexpired|isinvalid)`), code: "SSOTokenLoadError", program: jsV3},
		{anchor: "regionismissing", code: "NoRegionError", program: jsV3},
		{anchor: "couldnotloadcredentialsfromanyproviders", code: "NoCredentialsError", program: jsV3},
		{anchor: "missingregioninconfig", code: "NoRegionError", program: jsV2},
		{anchor: "inaccessiblehost:", code: "NameResolutionError", program: jsV2},

		// Others.
		{anchor: "unabletogetiamsecuritycredentials", code: "NoCredentialsError", program: dotNET},
		{anchor: "failedtoresolveawscredentials", code: "NoCredentialsError", program: dotNET},
		{anchor: "noregionendpointorserviceurlconfigured", code: "NoRegionError", program: dotNET},
		{anchor: "nocredentialsspecifiedorobtainedfrompersisted/shelldefaults", code: "NoCredentialsError", program: "AWS Tools for PowerShell"},
		{anchor: "noregionspecifiedorobtainedfrompersisted/shelldefaults", code: "NoRegionError", program: "AWS Tools for PowerShell"},
		{anchor: "butnocredentialshavebeenconfigured", code: "NoCredentialsError", program: "AWS CDK"},
		{anchor: "butthecurrentcredentialsarefor", code: "WrongAccount", program: "AWS CDK"},
		{anchor: "unabletoresolveawsaccounttouse", code: "NoCredentialsError", program: "AWS CDK"},
		{anchor: "awsprovidercredentialsnotfound", code: "NoCredentialsError", program: "Serverless Framework"},
		{anchor: "didyoumeantosettheid-tokenpermission", code: "NoIDTokenPermission", program: "GitHub Actions"},
		{anchor: "unabletogetactions_id_token_request_url", code: "NoIDTokenPermission", program: "GitHub Actions"},
		{anchor: "errorretrievingcredentialsfromtheinstanceprofilemetadata", code: "NoCredentialsError", program: php},
		{anchor: "unabletosignrequestwithoutcredentialsset", code: "NoCredentialsError", program: ruby},
		{anchor: "aws::errors::missingregionerror", code: "NoRegionError", program: ruby},
		{anchor: "thecredentialproviderwasnotenabled", code: "NoCredentialsError", program: rust},
		{anchor: "nocredentialsinthepropertybag", code: "NoCredentialsError", program: rust},
		{anchor: "noprovidersinchainprovidedcredentials", code: "NoCredentialsError", program: rust},
		{anchor: "authorizationtokenhasexpired", code: "RegistryTokenExpired", program: "docker"},

		// Bodies.
		{anchor: "<code>", re: regexp.MustCompile(`^(?i)<code>(?P<code>[A-Za-z0-9._]{1,80})</code>`)},
		{anchor: "&lt;code&gt;", re: regexp.MustCompile(`^(?i)&lt;code&gt;(?P<code>[A-Za-z0-9._]{1,80})&lt;/code&gt;`)},
		{anchor: "__type:", re: regexp.MustCompile(`^__type:(?:[A-Za-z0-9._]{1,80}#)?(?P<code>[A-Za-z0-9_]{1,80})`)},
		{anchor: "x-amzn-errortype:", re: regexp.MustCompile(`^(?i)x-amzn-errortype:(?P<code>[A-Za-z0-9_]{1,80})`)},
	}
}

// wordings are AWS's own sentences: they stand where a program leaves out the code.
func wordings() []pattern {
	return []pattern{
		{anchor: "thesecuritytokenincludedintherequestisinvalid", code: "InvalidClientTokenId"},
		{anchor: "thesecuritytokenincludedintherequestisexpired", code: "ExpiredToken"},
		{anchor: "theprovidedtokenhasexpired", code: "ExpiredToken"},
		{anchor: "theprovidedtokenismalformedorotherwiseinvalid", code: "InvalidToken"},
		{anchor: "theawsaccesskeyidyouprovideddoesnotexist", code: "InvalidAccessKeyId"},
		{anchor: "notabletovalidatetheprovidedaccesscredentials", code: "AuthFailure"},
		{anchor: "therequestsignaturewecalculateddoesnotmatch", code: "SignatureDoesNotMatch"},
		{anchor: "signatureexpired:", code: "SignatureDoesNotMatch"},
		{anchor: "signaturenotyetcurrent:", code: "SignatureDoesNotMatch"},
		{anchor: "thedifferencebetweentherequesttimeandthecurrenttime", code: "RequestTimeTooSkewed"},
		{anchor: "isnotauthorizedtoperform:", code: "AccessDenied", since: "user:", refine: arnBefore},
		{anchor: "notauthorizedtoperformsts:", code: "AccessDenied"},
		{anchor: "noopenidconnectproviderfound", code: "InvalidIdentityToken"},
		{anchor: "incorrecttokenaudience", code: "InvalidIdentityToken"},
		{anchor: "retrieveverificationkeyfromyouridentityprovider", code: "InvalidIdentityToken"},
		{anchor: "durationsecondsexceeds", code: "ValidationError"},
		{anchor: "invalidmfaonetimepasscode", code: "AccessDenied", since: "multifactorauthentication"},
		{anchor: "stsisnotactivatedinthisregion", code: "RegionDisabledException"},
		{anchor: "packedpolicyconsumes", code: "PackedPolicyTooLarge"},
		{anchor: "sessiontokennotfoundorinvalid", code: "UnauthorizedException"},
	}
}

// hints are what many programs say of many things.
func hints() []pattern {
	return []pattern{
		{anchor: "novalidcredentialsources", code: "NoCredentialsError", program: terraform},
		{anchor: "unabletovalidateawscredentials", code: "NoCredentialsError", program: "Pulumi"},
		{anchor: "invalidendpoint:", code: "InvalidEndpoint", program: awsCLI},
		{anchor: "credentialsprovidererror:", code: "CredentialRetrievalError", program: jsV3},
		{anchor: "profilefilecontainednocredentialsforprofile", re: regexp.MustCompile(`^(?i)profilefilecontainednocredentialsforprofile` + profileName + `[:.]`), code: "ProfileNotFound", program: javaV2},
		{anchor: "credentialsnotloaded", code: "NoCredentialsError", program: rust},
		{anchor: "failedtorefreshcachedcredentials", code: "CredentialRetrievalError", program: goV2},
		{anchor: "executableawsfailedwithexitcode", code: "CredentialRetrievalError", program: "kubectl"},
		{anchor: "youmustbeloggedintotheserver", code: "Unauthorized", program: "kubectl"},
		{anchor: "errorfromserver(forbidden)", code: "KubernetesForbidden", program: "kubectl", context: true},
		{anchor: "exec:executableawsnotfound", code: "MissingDependencyException", program: "kubectl"},
		{anchor: "exec:aws:executablefilenotfound", code: "MissingDependencyException", program: "kubectl"},
		{anchor: "amazons3exception:accessdenied", code: "AccessDenied", program: dotNET},
		{anchor: "couldnotreadusernameforhttps://git-codecommit", code: "NoCredentialsError", program: "git"},
		{anchor: "nobasicauthcredentials", code: "RegistryTokenExpired", program: "docker", context: true},
		{anchor: "therequestedurlreturnederror:403", code: "403", program: "git", context: true},
		{anchor: "isoutofrange:", re: regexp.MustCompile(`^isoutofrange:\d{9,12}`), code: "MalformedExpiration", program: awsCLI, refine: afterYear},
		{anchor: "getcalleridentityresult", re: regexp.MustCompile(`^GetCallerIdentityResult\n?$`), code: "ResponseParserError", program: awsCLI},
		{anchor: "(service:", re: regexp.MustCompile(`^(?i)\(Service:(?P<service>[A-Za-z0-9 ]{1,60}),StatusCode:(?P<status>\d{3}),`), program: javaV2, since: "accessdenied", refine: javaAnswer},
		{anchor: "nosuchfileordirectory:", re: regexp.MustCompile(`^(?i)nosuchfileordirectory:\S{0,200}(serviceaccount|identity|oidc|web)\S{0,200}token`), code: "TokenFileError", program: awsCLI},
		{anchor: "[errno2]nosuchfileordirectory:/", code: "CredentialRetrievalError", program: awsCLI, refine: noToken},

		{anchor: "nosuchhost", code: "NameResolutionError", context: true},
		{anchor: "nameorservicenotknown", code: "NameResolutionError", context: true},
		{anchor: "temporaryfailureinnameresolution", code: "NameResolutionError", context: true},
		{anchor: "couldnotresolvehost", code: "NameResolutionError", context: true},
		{anchor: "getaddrinfoenotfound", code: "NameResolutionError", context: true},
		{anchor: "getaddrinfoeai_again", code: "NameResolutionError", context: true},
		{anchor: "unknownhostexception", code: "NameResolutionError", context: true},
		{anchor: "econnrefused", code: "EndpointConnectionError", context: true},
		{anchor: "connectionrefused", code: "EndpointConnectionError", context: true},
		{anchor: "etimedout", code: "ConnectTimeoutError", context: true},
		{anchor: "i/otimeout", code: "ConnectTimeoutError", context: true},
		{anchor: "contextdeadlineexceeded", code: "ReadTimeoutError", context: true},
		{anchor: "connectionreset", code: "ConnectionClosedError", context: true},
		{anchor: "certificatesignedbyunknownauthority", code: "SSLError", context: true},
		{anchor: "certificateverifyfailed", code: "SSLError", context: true},
		{anchor: "certificate_verify_failed", code: "SSLError", context: true},
		{anchor: "self-signedcertificate", code: "SSLError", context: true},
		{anchor: "self_signed_cert", code: "SSLError", context: true},
		{anchor: "pkixpathbuildingfailed", code: "SSLError", context: true},
		{anchor: "proxyauthenticationrequired", code: "ProxyConnectionError", context: true},
		{anchor: "proxyconnecttcp", code: "ProxyConnectionError", context: true},
	}
}

// commonWords are codes that other programs than those of AWS print as well.
var commonWords = map[string]bool{
	"AccessDenied": true, "AccessDeniedException": true, "Throttling": true, "ValidationError": true, "InvalidToken": true, "InternalError": true, "InternalFailure": true,
	"InternalServerError": true, "InternalServerException": true, "InternalServiceError": true, "InternalServiceException": true,
	"ServiceUnavailable": true, "ServiceFailure": true, "InvalidRequest": true, "InvalidParameter": true, "InvalidParameterValue": true,
	"Unauthorized": true, "NotAuthorized": true, "UnauthorizedAccess": true, "InvalidSignature": true, "ForbiddenException": true,
	"UnauthorizedException": true, "SSLError": true, "ResourceNotFound": true, "ResourceNotFoundException": true, "SlowDown": true,
	"TooManyRequests": true, "ExpiredToken": true, "ConfigNotFound": true, "InvalidHeader": true, "InvalidEndpoint": true,
	"ReadTimeoutError": true, "ConnectTimeoutError": true, "NameResolutionError": true, "AuthorizationError": true, "AuthFailure": true,
	"ValidationException": true, "InvalidSecurity": true, "UnrecognizedClient": true, "RequestExpired": true, "MissingDependencyException": true,
	"InvalidParameterException": true, "InvalidParameterCombination": true, "InvalidRequestException": true, "InvalidAction": true, "MissingAction": true,
	"MissingParameter": true, "MalformedInput": true, "MalformedQueryString": true, "Blocked": true, "PendingVerification": true,
	"AccountProblem": true, "DecryptionFailure": true, "InvalidClientException": true, "NotSignedUp": true,
	"ProxyConnectionError": true, "ProfileNotFound": true, "ConnectionClosedError": true, "InvalidConfigError": true,
}

// emptyAnswer tells what botocore makes of an answer that has no error in it.
func emptyAnswer(_ *passage, _, _ int, r *Recognised) bool {
	if r.Code == "Unknown" {
		r.Code = "ResponseParserError"
	}
	return true
}

// unknownByGo is the code of the SDK for an error in a shape that it does not know.
func unknownByGo(p *passage, at, end int, r *Recognised) bool {
	return r.Code != "UnknownError" || statusAsCode(p, at, end, r)
}

// modelled says whether it is the SDK for Go that names a request, and then an error.
func modelled(p *passage, at, _ int, r *Recognised) bool {
	return !strings.HasSuffix(r.Code, "ID") && goStatus().MatchString(p.squeezed[max(0, at-30):at])
}

// statusAsCode makes do with the status where there is no code.
func statusAsCode(p *passage, at, _ int, r *Recognised) bool {
	if m := last(goStatus(), p.squeezed[max(0, at-300):at]); r.Status == 0 && m != nil && m[1] != "0" {
		r.Code = m[1]
		return true
	}
	if r.Status == 0 {
		return false
	}
	r.Code = string([]byte{byte('0' + r.Status/100%10), byte('0' + r.Status/10%10), byte('0' + r.Status%10)})
	return true
}

// javaAnswer makes do with the status, too, unless S3's two words stand before it.
func javaAnswer(p *passage, at, end int, r *Recognised) bool {
	if strings.HasSuffix(p.lower[:at], "accessdenied") {
		r.Code = "AccessDenied"
		return true
	}
	return statusAsCode(p, at, end, r)
}

// ofMachine tells an address that only a container or an instance has.
func ofMachine(p *passage, at, end int, r *Recognised) bool {
	if metadataAddress(p.lower[end:min(len(p.lower), end+120)]) || strings.Contains(p.lower[max(0, at-200):at], "retrievecontainermetadata:") {
		r.Code = "MetadataRetrievalError"
	}
	return true
}

func metadataAddress(url string) bool {
	return strings.Contains(url, "169.254.") || strings.Contains(url, "/latest/meta-data") || strings.Contains(url, "/latest/api/token")
}

// fromMachine tells credentials that a container or an instance was to give.
func fromMachine(p *passage, _, end int, r *Recognised) bool {
	tail := p.lower[end:min(len(p.lower), end+40)]
	if strings.HasPrefix(tail, "container-role") || strings.HasPrefix(tail, "iam-role") {
		r.Code = "MetadataRetrievalError"
	}
	return true
}

// profileToLineEnd reads a profile's name at the end of a line.
func profileToLineEnd(p *passage, _, end int, r *Recognised) bool {
	from := int(p.at[end-1]) + 1
	line, _, _ := strings.Cut(p.clean[from:min(len(p.clean), from+200)], "\n")
	r.Profile = clip(strings.TrimSpace(line))
	return true
}

func sentenceBefore(p *passage, at, _ int, r *Recognised) bool {
	if strings.EqualFold(r.Code, "null") {
		return statusAsCode(p, at, at, r)
	}
	return true
}

// arnBefore wants AWS's sentence: others have it as well.
func arnBefore(p *passage, at, end int, _ *Recognised) bool {
	return strings.Contains(p.lower[max(0, at-300):at], "arn:aws") || actionShape().MatchString(p.squeezed[end:min(len(p.squeezed), end+80)])
}

var actionShape = late(`^[a-z0-9-]{2,30}:[A-Z][A-Za-z0-9]{2,60}`)

// noToken says whether the file that is missing is none of a token.
func noToken(p *passage, _, end int, _ *Recognised) bool {
	return !strings.Contains(p.lower[end:min(len(p.lower), end+200)], "token")
}

var yearBefore = late(`year\d{9,12}$`)

func afterYear(p *passage, at, _ int, _ *Recognised) bool {
	return yearBefore().MatchString(p.lower[max(0, at-20):at])
}

// goTransport tells why the SDK for Go had no answer.
func goTransport(p *passage, at, end int, r *Recognised) bool {
	tail := p.lower[end:min(len(p.lower), end+600)]
	before := p.lower[max(0, at-300):at]
	switch {
	case strings.Contains(before, "noec2imdsrolefound"), strings.Contains(before, "failedtoloadcredentials,"), metadataAddress(tail[:min(len(tail), 120)]):
		return false // said by what stands before
	case strings.Contains(tail, "invalidheaderfieldvalue"):
		r.Code = "InvalidHeader"
	case strings.Contains(tail, "proxyconnect"), strings.Contains(tail, "proxyauthenticationrequired"):
		r.Code = "ProxyConnectionError"
	default:
		r.Code = transport(tail)
	}
	return true
}

func javaTransport(p *passage, at, end int, r *Recognised) bool {
	r.Code = transport(p.lower[max(0, at-200):min(len(p.lower), end+600)])
	return true
}

// transport tells what went wrong on the way by what is said of it.
func transport(tail string) string {
	for _, cause := range []struct {
		code  string
		words []string
	}{
		{"NameResolutionError", []string{"nosuchhost", "unknownhost", "nameorservicenotknown", "servermisbehaving", "nodenamenorservname"}},
		{"SSLError", []string{"x509:", "tls:", "pkix", "certificate", "ssl"}},
		{"ConnectTimeoutError", []string{"i/otimeout", "deadlineexceeded", "timedout", "timeout"}},
		{"ConnectionClosedError", []string{"eof", "connectionreset", "brokenpipe", "failedtorespond"}},
	} {
		if slices.ContainsFunc(cause.words, func(w string) bool { return strings.Contains(tail, w) }) {
			return cause.code
		}
	}
	return "EndpointConnectionError"
}
