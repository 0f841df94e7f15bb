package aws

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// loopback serves browsers on this machine.
type loopback struct {
	server *http.Server
	port   string
}

// serveLoopback opens a free port of 127.0.0.1, until close.
func serveLoopback(handler http.Handler) (*loopback, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	s := &loopback{port: port}
	s.server = &http.Server{
		Handler: handler, ErrorLog: log.New(io.Discard, "", 0), // it would write what it was sent to stderr
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10,
	}
	go func() { _ = s.server.Serve(l) }() // ends with close
	return s, nil
}

// close ends the server, at last by cutting its connections.
func (s *loopback) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		_ = s.server.Close() // nothing is left that could fail
	}
}
