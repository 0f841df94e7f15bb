package awstest

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// MFASerial is the MFA device of the user demo.
const MFASerial = "arn:aws:iam::" + Account + ":mfa/demo"

// mfaWindow is how far a device's clock may be off.
const mfaWindow = 90 * time.Second

var mfaSerial = regexp.MustCompile(`^[\w+=/:,.@-]{9,256}$`)

// shownCode is a code that a device showed.
type shownCode struct {
	at   time.Time // by the true clock, which devices have
	used bool
}

// NextMFACode is the code of six digits that the device shows next. It works
// once, and for 90 seconds by the server's clock; every other code is refused.
func (s *Server) NextMFACode(serial string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails
		code := fmt.Sprintf("%06d", binary.BigEndian.Uint32(b[:])%1_000_000)
		if s.mfaCodes[serial+" "+code] == nil {
			s.mfaCodes[serial+" "+code] = &shownCode{at: s.now()}
			return code
		}
	}
}

// checkMFA says whether the caller has proved a second factor, now or when its
// session began.
func (c *call) checkMFA(who *principal) (bool, *failure) {
	serial, code := c.form.Get("SerialNumber"), c.form.Get("TokenCode")
	switch {
	case serial == "" && code == "":
		return who.mfa, nil
	case serial == "" || code == "":
		return false, &failure{403, "AccessDenied", "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."}
	case !mfaSerial.MatchString(serial):
		return false, invalidParameter("serialNumber", `Member must satisfy regular expression pattern: [\w+=/:,.@-]*`)
	case who.role || strings.HasPrefix(serial, "arn:") && !strings.HasPrefix(serial, "arn:aws:iam::"+who.account+":mfa/"):
		return false, &failure{403, "AccessDenied", "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."}
	}
	now := c.clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	shown := c.mfaCodes[serial+" "+code]
	if shown == nil || shown.used || now.Sub(shown.at).Abs() > mfaWindow {
		return false, &failure{403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. "}
	}
	shown.used = true
	return true, nil
}
