package awstest

import "encoding/xml"

// The shapes of STS's answers. Source: the AWS STS API reference.

type response struct {
	XMLName  xml.Name
	Result   any
	Metadata metadata `xml:"ResponseMetadata"`
}

type metadata struct {
	RequestID string `xml:"RequestId"`
}

type errorResponse struct {
	XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

type credentials struct {
	KeyID      string `xml:"AccessKeyId"`
	Secret     string `xml:"SecretAccessKey"`
	Token      string `xml:"SessionToken"`
	Expiration string `xml:"Expiration,omitempty"`
}

type assumedRoleUser struct {
	ID  string `xml:"AssumedRoleId"`
	Arn string `xml:"Arn"`
}

type assumeRoleResult struct {
	XMLName          xml.Name        `xml:"AssumeRoleResult"`
	User             assumedRoleUser `xml:"AssumedRoleUser"`
	Credentials      credentials     `xml:"Credentials"`
	SourceIdentity   string          `xml:"SourceIdentity,omitempty"`
	PackedPolicySize int             `xml:"PackedPolicySize,omitempty"`
}

type webIdentityResult struct {
	XMLName          xml.Name        `xml:"AssumeRoleWithWebIdentityResult"`
	Subject          string          `xml:"SubjectFromWebIdentityToken"`
	Audience         string          `xml:"Audience"`
	User             assumedRoleUser `xml:"AssumedRoleUser"`
	Credentials      credentials     `xml:"Credentials"`
	Provider         string          `xml:"Provider"`
	PackedPolicySize int             `xml:"PackedPolicySize,omitempty"`
}

type sessionTokenResult struct {
	XMLName     xml.Name    `xml:"GetSessionTokenResult"`
	Credentials credentials `xml:"Credentials"`
}

type callerIdentityResult struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	Arn     string   `xml:"Arn"`
	UserID  string   `xml:"UserId"`
	Account string   `xml:"Account"`
}

type accessKeyInfoResult struct {
	XMLName xml.Name `xml:"GetAccessKeyInfoResult"`
	Account string   `xml:"Account"`
}
