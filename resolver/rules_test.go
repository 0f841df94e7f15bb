package resolver_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rules are what the language promises, each with what holds it: folders of
// testdata/resolve, and where no folder can, tests and stories (`dir.TestName`,
// `script/name`).
const rules = `
FILES
an environment PROJECT/NAME is a file of a store: root_by_name import_order
a bare name means default/NAME: import_bare_name_default
stores are searched in order and the first file wins: import_several_stores
an unknown environment is an error with the nearest name: import_unknown import_unknown_project environments_unknown
a version of an environment is an error: import_version
what is no name is an error: import_bad_name environment_key_file resolver.TestLimits
a relative import is a file beside the importing one: import_file import_missing_file
an import of a store stays in the store: import_leaves_store
a repository's file says what it reaches beyond the repository: resolver.TestPlanBeyond
one file is one environment, however it is reached: import_once resolver/store.TestCanonical
paths are relative to their file, absolute, or begin with ~/: provider_file directory_path_inherited

DIRECTORY KEYS
directory keys stand only in .envrc.yaml: directory_keys_elsewhere
an unknown key of .envrc.yaml is an error: directory_unknown_key
directory keys and imports are literal: environment_key_literal import_bad_name directory_path_bad
environment takes a name or a list, in order: environment_key_list import_order
inherit layers the file on the nearest one above: inherit inherit_chain inherit_none inherit_error_above
path makes directories absolute, own ones first, each once: directory_path directory_path_inherited
a directory with a colon or a line break is an error: directory_path_bad directory_path_not_list
unset removes variables, the ones from below too: directory_unset inherit_unset_below directory_unset_names directory_unset_consent
a name in unset and among the own variables or files is an error: directory_unset_own
a dotenv file gives secret variables: dotenv dotenv_form
a missing dotenv file is an error unless it is optional, and watched: dotenv_missing dotenv_optional_missing
watch adds files that are compared: watch watch_one
inherited, environment, imports, dotenv, values, unset: the later wins: layers_order

DOTENV
one assignment a line, with export, comments, CRLF and a BOM: dotenv_dialect dotenv_crlf dotenv_two dotenv_bare
quotes as in the shell: dotenv_dialect dotenv_unclosed
expansions see earlier assignments, then the process: dotenv_expansion
what is not set is empty, with a warning: dotenv_unset_variable
${NAME:?} is an error if it is not set: dotenv_required
whatever a shell would run or expand else is an error: dotenv_command dotenv_backquote dotenv_ampersand dotenv_not_text dotenv_arithmetic dotenv_array dotenv_append dotenv_pipe dotenv_redirect dotenv_semicolon dotenv_space dotenv_spaces_around
forbidden names are errors, others need consent: dotenv_name dotenv_consent

DOCUMENT
top-level keys match in any case: document_case
a repeated top-level key is a warning and the last wins: document_repeated
an unknown top-level key of an environment, or import option, is a warning: environment_unknown_key import_option_unknown
a file of comments is an environment without values: document_empty
keys have their kinds: document_kinds document_list document_scalar
imports, context, environments and fn:: are reserved at the top of values: document_reserved
a duplicate key and one that is no string are errors: yaml_duplicate_key yaml_key_kinds
plain scalars are null, booleans, numbers or strings: variables_kinds reference_kinds yaml_at yaml_merge_value
numbers keep their source text, in JSON if it is a number there: variables_kinds builtin_tojson builtin_tostring

INTERPOLATION
strings are interpolated whatever their style: reference_styles yaml_flow_reference
the grammar of paths, and what is none: reference_path_forms reference_syntax
a path alone copies a value of any kind: reference_kinds
$$ is $, another lone $ itself: reference_dollars
the text form of each kind: reference_kinds builtin_tostring
imports[…] is a direct import: import_merge_false esc_example_imports
environments.p.e is evaluated and not merged: environments_root environments_unneeded esc_example_files
context has the names and the directory: context context_unknown
own values before those they are merged with: reference_own_over_imported
references bind in the environment where they are written: import_early_binding
siblings may refer to each other: reference_siblings
a path that leads nowhere is an error with the nearest name: reference_missing

BUILTINS
a builtin stands alone, is known, and its argument has known keys: builtin_unknown builtin_arguments
fn::open and fn::open::P: open_forms open_chained open_provider_unknown
fn::open ttl: open_ttl open_ttl_bad resolver.TestKeptWithTTL script/resolve_ttl script/resolve_nocache
fn::rotate is accepted and not supported: builtin_rotate builtin_rotate_needed
fn::secret of a literal: secret_plaintext secret_not_string
fn::secret of ciphertext: secret_ciphertext secret_ciphertext_ssh secret_ciphertext_ssh_file secret_ciphertext_others secret_ciphertext_locked secret_ciphertext_damaged secret_ciphertext_form secret_ciphertext_bad_identity
fn::join and fn::split: builtin_join builtin_join_bad builtin_join_form builtin_split
fn::concat: builtin_concat builtin_concat_bad builtin_concat_form
fn::toJSON: builtin_tojson
fn::toYAML: builtin_toyaml
fn::fromJSON: builtin_fromjson builtin_fromjson_bad
fn::toString: builtin_tostring
fn::toBase64 and fn::fromBase64: builtin_base64 builtin_base64_lines builtin_base64_bad
fn::final: builtin_final builtin_final_own builtin_final_sibling
fn::validate: builtin_validate builtin_validate_computed builtin_validate_computed_bad builtin_validate_bad builtin_validate_schema builtin_validate_loop

IMPORTS AND MERGING
imports merge left to right, own values on top: merge_three import_order resolver.TestMergeAssociative
with merge: false only imports[…] reaches it: import_merge_false
objects merge per key, everything else replaces, null too: merge_values merge_computed esc_merge_reference
a final value holds, with a warning, also against dotenv and unset: builtin_final builtin_final_sibling builtin_final_dotenv directory_unset_final
a login replaces another login and merges with written keys: merge_logins merge_login_extra

SECRET, UNKNOWN, ORDER
secretness follows references and what is computed: secret_plaintext secret_spreads secret_object_merged secret_builtin_whole resolver.TestRedaction
unknown spreads: unknown_spreads check_clean
check reports paths that an output schema rules out: open_output_path check_everything
only what is needed is computed and opened: open_unneeded merge_lazy environments_unneeded resolver.TestLazinessChangesNothing
equal opens are one, others run side by side: open_once_for_equal resolver.TestEqualOpensOnce resolver.TestOpensRunAtOnce
the result is the same in whatever order opens end: resolver.TestOrderOfOpensChangesNothing
evaluation goes on after an error: import_errors_all open_fails check_everything
a cycle is an error that names it: reference_cycle reference_cycle_merged cycle_merged_twice import_cycle import_cycle_self

OUTPUTS
environmentVariables: scalars, null is empty: variables_kinds variables_null variables_bytes
files: scalars: files esc_example_files script/run_files
a list or an object there is an error: variables_not_scalar variables_not_object files_not_scalar
a name in both is an error: files_and_variables
pulumiConfig and policyConfig are data: pulumi_config
names have a pattern, are forbidden, or need consent: variables_names variables_consent variables_consent_given resolver.TestNames
names that a provider chooses cannot need consent: variables_from_provider variables_from_provider_good provider_dotenv_names
keys of AWS are a family: family_none family_profile family_static
a region is set for all programs: region_both region_pair region_unset

PROVIDERS
inputs are checked before anything is opened: open_inputs provider_aws_inputs provider_aws_login_inputs provider_command_inputs resolver/aws.TestInputsAreChecked
aws-login: aws_login provider_aws_login_inputs esc_example_aws_secrets resolver/aws.TestInTheLanguage
aws-login oidc and its tokens: plan_token_command resolver/aws.TestOIDCFromAFile resolver/aws.TestOIDCTokenSources resolver/aws.TestGitHubActions
aws-login static, assumeRole, profile, session: family_static resolver/aws.TestStatic resolver/aws.TestAssumeRoleSendsWhatTheFileSays resolver/aws.TestProfileChainSharesItsBase resolver/aws.TestSession resolver/aws.TestLoginAsSource
aws-secrets: esc_example_aws_secrets provider_aws_inputs resolver/aws.TestSecretsAgainstMoto resolver/aws.TestServicesExplain
aws-parameter-store: esc_example_aws_secrets provider_aws_inputs resolver/aws.TestParametersAgainstMoto resolver/aws.TestBatches
env: provider_env provider_env_bad
file: provider_file provider_file_bad provider_file_watched resolver/local.TestHostileFiles script/resolve_local
dotenv: provider_dotenv provider_dotenv_bad provider_dotenv_names
command: provider_command_inputs plan_opens resolver/exec.TestCommandProvider resolver/exec.TestDeadlineKillsTheWholeGroup resolver/exec.TestCommandProviderShowsNoSecret
external programs: open_provider_unknown resolver/exec.TestExternalProvider resolver/exec.TestExternalMisbehaves
the schema of an external program: resolver/exec.TestSchemaIsAskedOnce resolver/exec.TestSchemaHoldsInputsAndOutputs resolver/exec.TestSchemaHangs
provider families that come later say so: open_provider_unknown

RESULTS
the times of a result are the earliest of the opens that flowed into it: aws_login open_ttl resolver.TestWindow
what was opened is kept, by what was asked and read: resolver.TestKeptOpens resolver.TestKeptByWhatWasRead resolver.TestKeptValue
that an open failed is kept for a while: resolver.TestKeptFailures resolver.TestKeptFailureIsShared script/resolve_remembered
the composition of environments: esc_example_composition esc_example_functions esc_example_references esc_example_validate esc_example_validate_bad esc_example_final esc_example_providers esc_example_secret_json esc_example_split_join esc_example_imports_replace

DIAGNOSTICS
lines and columns count from 1, columns in code points: diagnostic_columns diagnostic_bom
the chain of imports: diagnostic_chain
did you mean: diagnostic_nearest resolver.TestNearest
equal ones appear once: diagnostic_once
a YAML error has a line: yaml_syntax yaml_tab yaml_unclosed yaml_start_end yaml_control

LIMITS
sizes, counts and depths: limit_nesting limit_json_nesting resolver.TestLimits resolver.TestBombs resolver.TestOpensThatMisbehave
UTF-8, one document, no anchors, aliases and foreign tags: yaml_utf16 yaml_latin1 yaml_documents yaml_anchor yaml_unknown_alias yaml_tags yaml_tags_bad
a NUL in a variable: variables_nul

COMMAND LINE
open and its formats: script/open_formats script/open_dotenv script/open_directory
check and its formats: check_clean check_everything script/check_formats
`

// TestEveryRuleHasACase: no rule without something that holds it, nothing that is
// named and not there, and no folder that belongs to no rule.
func TestEveryRuleHasACase(t *testing.T) {
	named := map[string]bool{}
	n := 0
	for line := range strings.SplitSeq(strings.TrimSpace(rules), "\n") {
		if line == "" || line == strings.ToUpper(line) && !strings.Contains(line, ": ") {
			continue
		}
		n++
		i := strings.LastIndex(line, ": ")
		if i < 0 {
			t.Errorf("no case: %s", line)
			continue
		}
		for _, name := range strings.Fields(line[i+2:]) {
			named[name] = true
			if !holds(t, name) {
				t.Errorf("%s: there is no %s", line[:i], name)
			}
		}
	}
	if n < 80 {
		t.Errorf("%d rules", n)
	}
	folders, err := os.ReadDir(casesDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if !named[f.Name()] {
			t.Errorf("the folder %s belongs to no rule", f.Name())
		}
	}
}

func holds(t *testing.T, name string) bool {
	if story, ok := strings.CutPrefix(name, "script/"); ok {
		_, err := os.Stat(filepath.Join("../testdata/script", story+".txtar"))
		return err == nil
	}
	dir, test, ok := strings.Cut(name, ".")
	if !ok {
		info, err := os.Stat(filepath.Join(casesDir, name))
		return err == nil && info.IsDir()
	}
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}
