package main

// story is what is typed, and what each line promises.
func story(aws cli) []step {
	identity, nobody := `aws sts get-caller-identity`, `(?i)unable to locate credentials`
	if !aws.real {
		identity, nobody = `ambit whoami`, `(?m)^ambit: error: .*no .*credentials`
	}
	return []step{
		{line: `./install.sh && eval "$(ambit hook bash)"`, promised: []promise{
			{what: "an installation", pattern: `(?m)^ambit: installed ambit `},
			{what: "the line for the startup file", pattern: `(?m)^  eval "\$\(ambit hook bash\)"$`},
			{what: "no complaint", pattern: `(?m)^ambit: (error|warning|hint)`, not: true},
		}},
		{line: `cd && cat shop/.envrc.yaml`, promised: []promise{
			{what: "the file", pattern: `(?m)^environment: shop/dev$`},
		}},
		{line: `cat .config/ambit/environments/shop/dev.yaml`, promised: []promise{
			{what: "the environment", pattern: `fn::open::aws-login`},
		}},
		{line: `cd shop`, promised: []promise{
			{what: "that nothing is loaded before it is allowed", pattern: `(?m)^ambit: \.envrc\.yaml is not allowed here\nambit: hint: run "ambit allow"`},
			{what: "that nothing is loaded before it is allowed", pattern: `loaded`, not: true},
		}},
		{line: `printf '%s' "${AWS_ACCESS_KEY_ID-none}"`, hidden: true, promised: []promise{
			{what: "no variable before it is allowed", pattern: `none$`},
		}},
		{line: `ambit allow`, question: question, promised: []promise{
			{what: "the environment in the plan", pattern: `(?s)shop/dev.*loaded`},
			{what: "the variables in the plan", pattern: `(?s)AWS_ACCESS_KEY_ID.*loaded`},
			{what: "the provider in the plan", pattern: `(?s)aws-login.*loaded`},
			{what: "the role in the plan", pattern: `(?s)` + role + `.*loaded`},
			{what: "a load of six variables", pattern: `(?m)^ambit: shop/dev loaded \(\+6\) · credentials for 5\dm$`},
			{what: "no error", pattern: `(?m)^ambit: error`, not: true},
		}},
		{line: identity, promised: []promise{
			{what: "the role's identity", pattern: `arn:aws:sts::123456789012:assumed-role/dev/ambit-shop`},
		}},
		// Whatever is shown above and below must not hold a secret.
		{line: `printf '%s\n' "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN" >~/secrets`, hidden: true},
		{line: `cd ..`, promised: []promise{
			{what: "that it is unloaded", pattern: `(?m)^ambit: shop/dev unloaded$`},
		}},
		{line: `env | grep -c -e ^AWS_ACCESS -e ^AWS_S -e ^AWS_REGION -e ^AWS_DEFAULT -e ^AWS_CRED -e ^AMBIT`, hidden: true, promised: []promise{
			{what: "that no variable is left", pattern: `(?m)^0$`},
		}},
		{line: identity, promised: []promise{
			{what: "that there are no credentials", pattern: nobody},
			{what: "that there are no credentials", pattern: `assumed-role`, not: true},
		}},
	}
}

// question is how `ambit allow` asks.
const question = "[y/N] "
