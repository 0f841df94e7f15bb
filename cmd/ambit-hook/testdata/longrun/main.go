// Longrun is a program that runs for long and uses AWS all the while, as Terraform
// does: for so many seconds as its argument says it asks STS who it is, with one
// client of the SDK, and prints the access key id that each request was signed with.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, seconds string) error {
	n, err := strconv.Atoi(seconds)
	if err != nil {
		return err
	}
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client := sts.NewFromConfig(loaded)
	for end := time.Now().Add(time.Duration(n) * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if _, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}); err != nil {
			return err
		}
		used, err := loaded.Credentials.Retrieve(ctx)
		if err != nil {
			return err
		}
		fmt.Println(used.AccessKeyID)
	}
	return nil
}
