package aws

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/config"

	"ambit/resolver"
	"ambit/resolver/secret"
)

// atOnce is how many requests of one open are under way together.
const atOnce = 8

// service is one that is asked with the keys of a login.
type service struct {
	*opening
	title   string // for people
	place   place
	profile *config.SharedConfig // gives the CA bundle; may be nil
	signer  keys
}

// service reads what all of these providers take: region and login. The service
// is named as the SDK names it, the title is for people.
func (o *opening) service(name, title string) (*service, error) {
	o.region = text(o.call.Inputs, "region")
	signer := given(o.call.Inputs.Object["login"])
	if err := signer.check(); err != nil {
		return nil, &resolver.OpenError{Path: []string{"login"}, Err: err, Summary: "the login's " + err.Error()}
	}
	profile, err := o.activeProfile()
	if err != nil {
		return nil, err
	}
	at, err := o.placeOf(name, profile, "")
	if err != nil {
		return nil, err
	}
	return &service{opening: o, title: title, place: at, profile: profile, signer: signer}, nil
}

// trouble is what every request of the service has in common. List is the
// command that shows what there is.
func (s *service) trouble(what, action, list string) trouble {
	return trouble{
		service: s.title, what: what, region: s.place.region, source: theLogin, action: action,
		list: "look with: " + list + " --region " + s.place.region, secrets: append(s.signer.secrets(), secretTexts(s.call.Inputs)...),
	}
}

// secretTexts are the secret texts among some inputs: no error may hold them.
func secretTexts(v resolver.Value) (out []secret.Text) {
	if v.Secret && v.Text != "" {
		out = append(out, secret.New(v.Text))
	}
	for _, item := range v.List {
		out = append(out, secretTexts(item)...)
	}
	for _, key := range sortedKeys(v.Object) {
		out = append(out, secretTexts(v.Object[key])...)
	}
	return out
}

// each runs requests beside each other and returns all their errors, in the order
// of the list; one that is the network's ends the others, and is the only one.
func each[T any](ctx context.Context, list []T, request func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	errs := make([]error, len(list))
	slots := make(chan struct{}, atOnce)
	for i, item := range list {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wait.Go(func() {
			defer func() {
				if recover() != nil {
					errs[i] = unexpected()
				}
				<-slots
			}()
			errs[i] = request(ctx, item)
			var open *resolver.OpenError
			if errors.As(errs[i], &open) && open.Kind == resolver.KindNetwork {
				cancel(errs[i])
			}
		})
	}
	wait.Wait()
	var open *resolver.OpenError
	if errors.As(context.Cause(ctx), &open) {
		return open
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// shownAs names an input in a message: quoted, or by its key if it is secret.
func shownAs(kind string, v resolver.Value, key string) string {
	if v.Secret {
		return fmt.Sprintf("the %s of %q", kind, key)
	}
	return fmt.Sprintf("%s %q", kind, clip(v.Text, 200))
}

// at puts an error at an input.
func at(err error, path ...string) error {
	if open, ok := err.(*resolver.OpenError); ok {
		open.Path = path
	}
	return err
}
