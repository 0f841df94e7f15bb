package aws

// loginOf names a login of a person, so that what was made from it can be found
// again: "sso" and the key of the token's file, "mfa" and the device's serial
// number, "oidc" and the login's name.
func loginOf(kind, name string) string { return kind + " " + name }
