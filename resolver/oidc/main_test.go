package oidc

import (
	"os"
	"testing"

	"ambit/resolver/oidc/oidctest"
)

func TestMain(m *testing.M) {
	status := m.Run()
	oidctest.Remove()
	os.Exit(status)
}
