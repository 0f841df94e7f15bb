package awstest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
)

// The credentials of a container: of an EKS pod at a full URI, which wants the
// pod's token, and of an ECS task at a relative one, whose name is the secret.
// Source: "Container credential provider" in the AWS SDKs Reference Guide.
var containers = []operation{
	{"/v1/credentials", "GET", "GetPodCredentials", false, (*Server).podCredentials, refuseContainer},
	{"/v2/credentials/{id}", "GET", "GetTaskCredentials", false, (*Server).taskCredentials, refuseContainer},
}

// The values of AWS_CONTAINER_CREDENTIALS_FULL_URI (after [Server.URL]), of
// AWS_CONTAINER_AUTHORIZATION_TOKEN, or of the file that it names, and of
// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI.
const (
	ContainerPath        = "/v1/credentials"
	ContainerToken       = "pod-token-of-awstest"
	ContainerRelativeURI = "/v2/credentials/" + taskID

	taskID        = "8f2f0b1c-5c7d-4c3e-9d0a-0a6c5b1f7e21"
	containerRole = "task"
)

func (s *Server) podCredentials(r *http.Request, _ url.Values) (any, *failure) {
	given, want := r.Header.Get("Authorization"), ContainerToken
	if k := s.Knobs().Container; k.Authorization != "" {
		want = k.Authorization
	}
	switch {
	case given == "":
		return nil, &failure{400, "InvalidRequestException", "Service account token cannot be empty"}
	case subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 0:
		return nil, &failure{401, "AccessDeniedException", "Unauthorized Exception! EKS does not have permissions to assume the associated role."}
	}
	h := s.handOut(s.containerRole(), "eks-demo-pod")
	return containerCredentials{KeyID: h.keyID, Secret: h.secret, Token: h.token, Expiration: s.expirationText(h.expires), AccountID: Account}, nil
}

func (s *Server) taskCredentials(r *http.Request, _ url.Values) (any, *failure) {
	if r.PathValue("id") != taskID {
		return nil, &failure{400, "InvalidIdInRequest", "CredentialsV2Request: Credentials not found"}
	}
	role := s.containerRole()
	h := s.handOut(role, "ecs-demo-task")
	return containerCredentials{KeyID: h.keyID, Secret: h.secret, Token: h.token, Expiration: s.expirationText(h.expires),
		RoleARN: "arn:aws:iam::" + Account + ":role/" + role}, nil
}

func (s *Server) containerRole() string {
	if k := s.Knobs().Container; k.Role != "" {
		return k.Role
	}
	return containerRole
}

type containerCredentials struct {
	RoleARN    string `json:"RoleArn,omitempty"`
	AccountID  string `json:"AccountId,omitempty"`
	KeyID      string `json:"AccessKeyId"`
	Secret     string `json:"SecretAccessKey"`
	Token      string `json:"Token"`
	Expiration string `json:"Expiration,omitempty"`
}

func refuseContainer(w http.ResponseWriter, f failure) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	writeJSON(w, map[string]string{"code": f.code, "message": f.message})
}
