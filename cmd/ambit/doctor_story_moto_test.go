package main_test

import (
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// moto is a moto_server that enforces authentication,
// with users whose keys are in order, deleted, and known.
type moto struct {
	url           string
	good, deleted keySet
}

// startMoto starts it once for all stories of a test.
func startMoto(t *testing.T) func() *moto {
	return sync.OnceValue(func() *moto {
		m := &moto{}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		address := l.Addr().String()
		must(t, l.Close())
		host, port, err := net.SplitHostPort(address)
		must(t, err)
		m.url = "http://" + address
		cmd := exec.Command("moto_server", "-H", host, "-p", port)
		// It may be started through another program; both are to end.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		must(t, cmd.Start())
		t.Cleanup(func() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
			_ = cmd.Wait()                                      // killed
		})
		deadline := time.Now().Add(30 * time.Second)
		for {
			resp, err := http.Get(m.url + "/moto-api/data.json")
			if err == nil {
				must(t, resp.Body.Close())
				if resp.StatusCode == 200 {
					break
				}
			}
			if time.Now().After(deadline) {
				t.Errorf("moto_server does not answer: %v", err)
				return nil
			}
			time.Sleep(50 * time.Millisecond)
		}
		m.good, m.deleted = m.user(t, "good"), m.user(t, "deleted")
		m.iam(t, url.Values{"Action": {"DeleteAccessKey"}, "UserName": {"deleted"}, "AccessKeyId": {m.deleted.id}})
		// Without this header the answer is 500, and nothing is enforced.
		resp, err := http.Post(m.url+"/moto-api/reset-auth", "text/plain", strings.NewReader("0"))
		must(t, err)
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), `"status": "ok"`) {
			t.Errorf("moto_server enforces nothing: %s", body)
			return nil
		}
		return m
	})
}

// user makes a user who may do everything.
func (m *moto) user(t *testing.T, name string) keySet {
	t.Helper()
	m.iam(t, url.Values{"Action": {"CreateUser"}, "UserName": {name}})
	m.iam(t, url.Values{"Action": {"PutUserPolicy"}, "UserName": {name}, "PolicyName": {"all"},
		"PolicyDocument": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`}})
	var made struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	must(t, xml.Unmarshal(m.iam(t, url.Values{"Action": {"CreateAccessKey"}, "UserName": {name}}), &made))
	return keySet{made.ID, made.Secret, ""}
}

func (m *moto) iam(t *testing.T, form url.Values) []byte {
	t.Helper()
	form.Set("Version", "2010-05-08")
	request, err := http.NewRequest("POST", m.url, strings.NewReader(form.Encode()))
	must(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20200101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none")
	resp, err := http.DefaultClient.Do(request)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != 200 {
		t.Errorf("moto_server answers %s: %s", resp.Status, body)
	}
	return body
}

// atMoto leads the shell to moto.
func (w *world) atMoto() *moto {
	w.t.Helper()
	need(w.t, "moto_server")
	m := w.house.moto()
	if m == nil {
		w.t.Fatal("there is no moto_server")
	}
	for _, k := range []keySet{m.good, m.deleted} {
		w.secret(k.secret)
	}
	delete(w.env, "AWS_ENDPOINT_URL_STS")
	w.env["AWS_ENDPOINT_URL"] = m.url
	w.write(".aws/credentials", m.good.section("default"))
	return m
}

// motoStories: what the AWS that other people wrote says, whose errors are nested
// deeper than AWS's.
var motoStories = []story{
	{"unknown key at moto", func(w *world) want {
		w.atMoto()
		w.export(keySet{"AKIAQYLPMN5HUNKNOWN7", strings.Repeat("Zx9+", 10), ""})
		return want{check: "aws.keys", evidence: []string{"AKIA…OWN7"}, fix: unsetKeys, who: ":user/good"}
	}},
	{"deleted key at moto", func(w *world) want {
		m := w.atMoto()
		w.write(".aws/credentials", m.deleted.section("default"))
		return want{check: "aws.keys", evidence: []string{m.deleted.masked()}, fix: configure, answers: m.good.entered(), who: ":user/good"}
	}},
	{"secret of another key at moto", func(w *world) want {
		m := w.atMoto()
		w.write(".aws/credentials", keySet{m.good.id, w.secret(strings.Repeat("Zx9+", 10)), ""}.section("default"))
		return want{check: "aws.keys", evidence: []string{m.good.masked(), "secret"}, fix: configure, answers: m.good.entered(), who: ":user/good"}
	}},
}
