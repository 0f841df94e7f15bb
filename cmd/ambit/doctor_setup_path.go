package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"ambit/resolver/aws"
	"ambit/resolver/aws/doctor"
)

// path checks that the commands which doctor and ambit's messages name run this
// program.
func (p *setup) path() {
	if p.self == "" {
		return // the system does not tell which program runs
	}
	fix := "export PATH=" + aws.Word(filepath.Dir(p.self)) + `:"$PATH"` // fish knows no ~ within a word
	if found, err := exec.LookPath("ambit"); err != nil {
		p.add("path", doctor.Warn, fix, "PATH finds no ambit; this one is %s", p.tilde(p.self))
	} else if !same(found, p.self) && !equal(found, p.self) {
		p.add("path", doctor.Warn, fix, "PATH finds another ambit, %s; this one is %s", p.tilde(found), p.tilde(p.self))
	} else {
		p.well("path", "PATH finds %s", p.tilde(found))
	}
}

// equal says whether two files have the same bytes.
func equal(a, b string) bool {
	fa, err := os.Open(a)
	if err != nil {
		return false
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return false
	}
	defer fb.Close()
	infoA, errA := fa.Stat()
	infoB, errB := fb.Stat()
	if errA != nil || errB != nil || !infoA.Mode().IsRegular() || infoA.Size() != infoB.Size() {
		return false
	}
	pieceA, pieceB := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, errA := io.ReadFull(fa, pieceA)
		m, errB := io.ReadFull(fb, pieceB)
		if !bytes.Equal(pieceA[:n], pieceB[:m]) {
			return false
		}
		if errA != nil || errB != nil {
			return errA == errB && (errA == io.EOF || errA == io.ErrUnexpectedEOF)
		}
	}
}
