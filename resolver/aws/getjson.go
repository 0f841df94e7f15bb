package aws

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// getJSON reads a JSON document into out, as often as whoever waits has patience
// for: what the network did, 429 and 5xx are tried again.
func (o *opening) getJSON(ctx context.Context, client *httpClient, address string, header http.Header, out any) error {
	for try := 1; ; try++ {
		status, err := getJSONOnce(ctx, client, address, header, out)
		passes := status == 0 || status >= 500 || status == http.StatusTooManyRequests
		if err == nil || !passes || try >= o.limits.attempts || ctx.Err() != nil {
			return err
		}
		timer := time.NewTimer(time.Duration(try) * 300 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// getJSONOnce returns the status too, 0 if there was no answer.
func getJSONOnce(ctx context.Context, client *httpClient, address string, header http.Header, out any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK || json.Unmarshal(b, out) != nil {
		return resp.StatusCode, errNonsense
	}
	return resp.StatusCode, nil
}
