package main_test

import (
	"os"

	"ambit/resolver/aws/awstest"
)

// instance is the role of what IMDS hands out.
const instance = ":assumed-role/instance/"

// onInstance puts the shell on an EC2 instance, as far as the AWS CLI and the SDKs
// can tell.
func (w *world) onInstance() {
	delete(w.env, "AWS_EC2_METADATA_DISABLED")
	w.env["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = w.aws.URL + "/"
}

// containerised marks the shell's machine as a container, which this one may be.
func (w *world) containerised() {
	if _, err := os.Stat("/.dockerenv"); err != nil {
		if _, err := os.Stat("/run/.containerenv"); err != nil {
			w.env["container"] = "docker"
		}
	}
}

// dockerRun starts the container anew with what its host exports.
const dockerRun = `docker run -e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY -e AWS_SESSION_TOKEN -e AWS_REGION -e AWS_DEFAULT_REGION .+`

// exportDemo gives a shell keys, as whoever knows some would.
const exportDemo = "export AWS_ACCESS_KEY_ID=" + awstest.KeyID + " AWS_SECRET_ACCESS_KEY=" + awstest.SecretKey

// machineStories: Docker, EC2, ECS, EKS and Lambda.
var machineStories = []story{
	{"quotes kept by docker's env file", func(w *world) want {
		w.containerised()
		w.export(keySet{`"` + awstest.KeyID + `"`, `"` + awstest.SecretKey + `"`, ""})
		w.beneath()
		return want{check: "aws.keys", evidence: []string{"quote", "AWS_ACCESS_KEY_ID"}, fix: `.+`, also: []string{"unset " + asKeys}}
	}},
	{"mounted configuration that nobody may read", func(w *world) want {
		w.containerised()
		w.beneath()
		if os.Geteuid() != 0 {
			w.t.Skip("skipped: it takes root to give files away")
		}
		must(w.t, os.Chown(w.home+"/.aws/credentials", 12345, 12345))
		w.admin("docker run -e AWS_ACCESS_KEY_ID", func([]string) string { return "" })
		w.admin("sudo", nil)
		w.without = []string{"dac_override", "dac_read_search"}
		return want{check: "aws.runtime|aws.files", evidence: []string{".aws/credentials"}, fix: dockerRun + `|sudo chown .+`, also: []string{exportDemo}}
	}},
	{"program of the profile missing", func(w *world) want {
		w.admin("docker run -e AWS_ACCESS_KEY_ID", func([]string) string { return "" })
		w.write(".aws/config", "[default]\nregion = eu-central-1\ncredential_process = /opt/corp/bin/give-keys --for me\n")
		return want{check: "aws.runtime", evidence: []string{"/opt/corp/bin/give-keys"}, fix: `.*`, answers: demo.entered(), also: []string{exportDemo}}
	}},
	{"instance without a role", func(w *world) want {
		w.onInstance()
		w.knobs(func(k *awstest.Knobs) { k.IMDS.NoRole = true })
		w.adminKnobs("aws ec2 associate-iam-instance-profile --instance-id i-0123456789abcdef0", func(k *awstest.Knobs) { k.IMDS.NoRole = false })
		return want{check: "aws.runtime", evidence: []string{"i-0123456789abcdef0"}, fix: `aws ec2 associate-iam-instance-profile --instance-id i-0123456789abcdef0 --iam-instance-profile Name=.+`, who: instance}
	}},
	{"instance whose role is closed", func(w *world) want {
		w.onInstance()
		w.knobs(func(k *awstest.Knobs) { k.IMDS.Code = "AssumeRoleUnauthorizedAccess" })
		w.adminKnobs("aws iam get-role --role-name instance", func(k *awstest.Knobs) { k.IMDS.Code = "" })
		w.adminKnobs("aws ec2", func(k *awstest.Knobs) { k.IMDS.Code = "" })
		return want{check: "aws.runtime", evidence: []string{"AssumeRoleUnauthorizedAccess"}, fix: `aws (iam|ec2) .+`, who: instance}
	}},
	{"hop limit of the metadata service", func(w *world) want {
		w.containerised()
		w.onInstance()
		w.knobs(func(k *awstest.Knobs) { k.IMDS.Token = awstest.TokenHangs })
		w.adminKnobs("aws ec2 modify-instance-metadata-options", func(k *awstest.Knobs) { k.IMDS.Token = awstest.TokenGiven })
		return want{check: "aws.runtime", evidence: []string{"hop"}, fix: `aws ec2 modify-instance-metadata-options --instance-id \S+ --http-put-response-hop-limit 2`, who: instance, unseen: true}
	}},
	{"metadata service through a proxy", func(w *world) want {
		l := w.abroad()
		l.ec2()
		proxy := l.forward("")
		w.env["HTTP_PROXY"], w.env["http_proxy"] = "http://"+proxy, "http://"+proxy
		return want{check: "aws.network", evidence: []string{"metadata", "(?i)http_proxy"}, fix: `export NO_PROXY=169\.254\.169\.254,169\.254\.170\.2,169\.254\.170\.23`, who: instance}
	}},
	{"metadata service switched off", func(w *world) want {
		w.onInstance()
		w.env["AWS_EC2_METADATA_DISABLED"] = "true"
		w.write(".aws/config", "[default]\nregion = eu-central-1\nrole_arn = "+devRole+"\ncredential_source = Ec2InstanceMetadata\n")
		return want{check: "aws.order|aws.runtime", evidence: []string{"AWS_EC2_METADATA_DISABLED"}, fix: `unset AWS_EC2_METADATA_DISABLED`, who: "/dev/"}
	}},
	{"task without a role", func(w *world) want {
		w.env["AWS_EXECUTION_ENV"] = "AWS_ECS_FARGATE"
		l := w.abroad()
		w.env["ECS_CONTAINER_METADATA_URI_V4"] = "http://169.254.170.2/v4/task"
		w.admin("aws ecs describe-task-definition", func([]string) string { l.ecs(); return "" })
		return want{check: "aws.runtime", evidence: []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"}, fix: `aws ecs describe-task-definition --task-definition \S+ --query taskDefinition.taskRoleArn`,
			also: []string{"export AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=" + awstest.ContainerRelativeURI}, who: ":assumed-role/task/"}
	}},
	{"address of a task outside it", func(w *world) want {
		w.beneath()
		w.write(".aws/config", "[default]\nregion = eu-central-1\n")
		w.abroad()
		w.env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = awstest.ContainerRelativeURI
		must(w.t, os.Remove(w.home+"/.aws/credentials"))
		return want{check: "aws.runtime", evidence: []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"}, fix: `unset AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`,
			also: []string{exportDemo}, unseen: true}
	}},
	{"host of a container that is not allowed", func(w *world) want {
		w.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://credentials.example.invalid/v1/credentials"
		return want{check: "aws.runtime", evidence: []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI"}, fix: `unset AWS_CONTAINER_CREDENTIALS_FULL_URI`,
			also: []string{exportDemo}}
	}},
	{"pod whose token is refused", func(w *world) want {
		w.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = w.aws.URL + awstest.ContainerPath
		w.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = w.write("pod-token", awstest.ContainerToken)
		w.secret(awstest.ContainerToken)
		w.knobs(func(k *awstest.Knobs) { k.Container.Authorization = "another" })
		for _, begins := range []string{"kubectl", "aws eks"} {
			w.adminKnobs(begins, func(k *awstest.Knobs) { k.Container.Authorization = "" })
		}
		return want{check: "aws.runtime", evidence: []string{"401"}, fix: `.+`, who: ":assumed-role/task/"}
	}},
	{"pod whose token file is not there", func(w *world) want {
		w.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = w.aws.URL + awstest.ContainerPath
		w.env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = w.home + "/pod-token"
		w.env["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
		w.admin("kubectl delete pod", func([]string) string { w.write("pod-token", awstest.ContainerToken); return "" })
		return want{check: "aws.runtime", evidence: []string{"pod-token"}, fix: `kubectl .+`, who: ":assumed-role/task/"}
	}},
	{"keys in the code of a Lambda function", func(w *world) want {
		w.export(demo)
		w.env["AWS_LAMBDA_FUNCTION_NAME"] = "resize"
		w.admin("aws lambda get-function-configuration --function-name resize --query Role", func([]string) string { return `"` + devRole + `"` })
		return want{check: "aws.runtime", evidence: []string{"resize", "user/demo"}, fix: `aws lambda get-function-configuration --function-name resize --query Role`, works: true}
	}},
	{"nothing anywhere and a slow metadata service", func(w *world) want {
		l := w.abroad()
		l.swallow("169.254.169.254/32")
		delete(w.env, "AWS_EC2_METADATA_DISABLED")
		return want{check: "aws.runtime|aws.order", fix: `export AWS_EC2_METADATA_DISABLED=true|aws configure.*`, answers: demo.entered(), unseen: true, also: []string{exportDemo}}
	}},
}
