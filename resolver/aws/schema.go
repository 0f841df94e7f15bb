package aws

import "ambit/resolver"

func str() *resolver.Schema { return &resolver.Schema{Types: []string{"string"}} }

func list(item *resolver.Schema) *resolver.Schema {
	return &resolver.Schema{Types: []string{"array"}, Items: item}
}

func object(required []string, properties map[string]*resolver.Schema) *resolver.Schema {
	return &resolver.Schema{Types: []string{"object"}, Properties: properties, Required: required}
}

func oneOf(properties map[string]*resolver.Schema) *resolver.Schema {
	s := object(nil, properties)
	s.ExactlyOne = sortedKeys(properties)
	return s
}

func pattern(p, say string) *resolver.Schema {
	return &resolver.Schema{Types: []string{"string"}, Pattern: p, PatternSay: say}
}

const regionPattern = `[a-z]+(-[a-z0-9]+)+`

var (
	roleARN     = pattern(`arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+`, "a role ARN like arn:aws:iam::123456789012:role/dev")
	sessionName = pattern(`[A-Za-z0-9_+=,.@-]{2,64}`, "a session name: 2 to 64 letters, digits or _+=,.@-")
	duration    = pattern(`[0-9]+h([0-9]+m)?([0-9]+s)?|[0-9]+m([0-9]+s)?|[0-9]+s`, "a duration like 1h30m")
	region      = pattern(regionPattern, "a region like eu-central-1")
	startURL    = pattern(`https?://[!-~]+`, "a start URL like https://example.awsapps.com/start")
	nonEmpty    = pattern(`(?s).+`, "a text that is not empty")
	argv        = &resolver.Schema{Types: []string{"array"}, Items: str(), MinItems: 1}
	policy      = &resolver.Schema{Types: []string{"object", "string"}, Open: true}

	// A login is another aws-login value, which may carry more keys.
	login = &resolver.Schema{
		Types: []string{"object"}, Open: true, Required: []string{"accessKeyId", "secretAccessKey"},
		Properties: map[string]*resolver.Schema{
			"accessKeyId": nonEmpty, "secretAccessKey": nonEmpty, "sessionToken": str(),
		},
	}
	source = oneOf(map[string]*resolver.Schema{"profile": nonEmpty, "login": login})

	token = oneOf(map[string]*resolver.Schema{
		"file":    {Types: []string{"string"}, Pattern: `(?s).+`, PatternSay: nonEmpty.PatternSay, Path: true},
		"env":     pattern(`[A-Za-z_][A-Za-z0-9_]*`, "the name of a variable"),
		"command": argv,
		"githubActions": object(nil, map[string]*resolver.Schema{
			"audience": nonEmpty,
		}),
		"login": nonEmpty,
	})
)

var inputs = func() *resolver.Schema {
	s := oneOf(map[string]*resolver.Schema{
		"oidc": object([]string{"roleArn", "sessionName"}, map[string]*resolver.Schema{
			"roleArn": roleARN, "sessionName": sessionName, "duration": duration,
			"policyArns": list(nonEmpty), "subjectAttributes": nil, "token": token,
		}),
		"static": object([]string{"accessKeyId", "secretAccessKey"}, map[string]*resolver.Schema{
			"accessKeyId": nonEmpty, "secretAccessKey": nonEmpty, "sessionToken": str(),
		}),
		"assumeRole": object([]string{"roleArn"}, map[string]*resolver.Schema{
			"roleArn": roleARN, "sessionName": sessionName, "duration": duration,
			"externalId": nonEmpty, "mfaSerial": nonEmpty, "sourceIdentity": nonEmpty,
			"sessionTags":       {Types: []string{"object"}, Additional: str()},
			"transitiveTagKeys": list(nonEmpty), "policy": policy, "policyArns": list(nonEmpty), "source": source,
		}),
		"profile": nonEmpty,
		"sso": object([]string{"startUrl", "region", "accountId", "roleName"}, map[string]*resolver.Schema{
			"startUrl": startURL, "region": region, "accountId": pattern(`[0-9]{12}`, "an account id of 12 digits"), "roleName": nonEmpty,
		}),
		"session": object(nil, map[string]*resolver.Schema{
			"mfaSerial": nonEmpty, "duration": duration, "source": source,
		}),
	})
	s.Properties["region"] = region
	return s
}()

var outputs = object([]string{"accessKeyId", "secretAccessKey"}, map[string]*resolver.Schema{
	"accessKeyId":     str(),
	"secretAccessKey": {Types: []string{"string"}, Secret: true},
	"sessionToken":    {Types: []string{"string"}, Secret: true},
	"expiration":      str(),
})

// getInputs are the inputs of a provider that reads several things of a service.
func getInputs(item *resolver.Schema) *resolver.Schema {
	return object([]string{"region", "login", "get"}, map[string]*resolver.Schema{
		"region": region, "login": login, "get": {Types: []string{"object"}, Additional: item, MinKeys: 1},
	})
}

var (
	secretsInputs = getInputs(object([]string{"secretId"}, map[string]*resolver.Schema{
		"secretId": nonEmpty, "versionId": nonEmpty, "versionStage": nonEmpty,
	}))
	secretsOutputs = &resolver.Schema{
		Types: []string{"object"}, Additional: &resolver.Schema{Types: []string{"string"}, Secret: true},
	}

	parametersInputs = getInputs(object([]string{"name"}, map[string]*resolver.Schema{
		"name": nonEmpty, "decrypt": {Types: []string{"boolean"}},
	}))
	parametersOutputs = &resolver.Schema{
		Types: []string{"object"}, Additional: &resolver.Schema{Types: []string{"string", "array"}, Items: str(), Secret: true},
	}
)
