// A resource server's check of Tikti's tokens with golang-jwt and keyfunc, from the issuer alone.
//
// Usage: interop ISSUER AUDIENCE [TENANT] [SCOPES]. The lines that go in and out: conformance/README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

type claims struct {
	jwt.RegisteredClaims
	Tid        string   `json:"tid"`
	Scope      string   `json:"scope"`
	TokenUse   string   `json:"token_use"`
	EventTypes []string `json:"eventTypes"`
}

func main() {
	arguments := append(os.Args[1:], "", "", "", "")
	issuer, audience, tenant, scopes := arguments[0], arguments[1], arguments[2], strings.Fields(arguments[3])
	keys, err := keyfunc.NewDefaultOverrideCtx(context.Background(), []string{discover(issuer)}, keyfunc.Override{
		// By default a revoked key is trusted for an hour: here as long as the issuer says.
		RefreshInterval: seconds("JWKS_MAX_AGE", 300),
		// By default an unknown key is asked for once in five minutes.
		RefreshUnknownKID: rate.NewLimiter(rate.Every(seconds("JWKS_COOLDOWN", 30)), 1),
		// Refused, rather than waiting until it may ask again.
		RateLimitWaitMax: 100 * time.Millisecond,
	})
	must(err)
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256"}),
		jwt.WithIssuer(issuer),
		jwt.WithAudience(audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(time.Minute),
	)
	verify := func(token, class string) error {
		var found claims
		if _, err := parser.ParseWithClaims(token, &found, keys.Keyfunc); err != nil {
			return err
		}
		granted := strings.Split(found.Scope, " ")
		switch {
		case found.Subject == "":
			return errors.New("sub is missing")
		case found.TokenUse != class:
			return fmt.Errorf("token_use is not %s", class)
		case found.Tid == "" || tenant != "" && found.Tid != tenant:
			return errors.New("tid is not the tenant")
		case slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(granted, scope) }):
			return errors.New("a scope is missing")
		case class == "worker" && len(found.EventTypes) == 0:
			return errors.New("eventTypes are missing")
		}
		return nil
	}
	answer(verify)
}

func discover(issuer string) string {
	response, err := http.Get(issuer + "/.well-known/openid-configuration")
	must(err)
	defer response.Body.Close()
	var document struct {
		Issuer  string `json:"issuer"`
		JwksURI string `json:"jwks_uri"`
	}
	must(json.NewDecoder(response.Body).Decode(&document))
	if document.Issuer != issuer {
		must(fmt.Errorf("the document is of %q", document.Issuer))
	}
	return document.JwksURI
}

func answer(verify func(token, class string) error) {
	out := json.NewEncoder(os.Stdout)
	version := ""
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if strings.Contains(module.Path, "golang-jwt") || strings.Contains(module.Path, "keyfunc") {
				version = module.Version + " " + version
			}
		}
	}
	must(out.Encode(map[string]string{"library": "golang-jwt", "version": strings.TrimSpace(version)}))
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var asked struct{ ID, Token, Class string }
		must(json.Unmarshal(lines.Bytes(), &asked))
		reply := map[string]any{"id": asked.ID, "ok": true, "reason": ""}
		if err := verify(asked.Token, asked.Class); err != nil {
			reply["ok"], reply["reason"] = false, err.Error()
		}
		must(out.Encode(reply))
	}
	must(lines.Err())
}

func seconds(variable string, otherwise float64) time.Duration {
	if value, err := strconv.ParseFloat(os.Getenv(variable), 64); err == nil {
		otherwise = value
	}
	return time.Duration(otherwise * float64(time.Second))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
