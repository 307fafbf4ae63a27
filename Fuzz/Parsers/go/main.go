// Reads claims as Go does: encoding/json into a struct, as go-oidc and golang-jwt do, into a map, and into a map of those
// who look names up without regard to case.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"unicode"
)

type audience []string

func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

type claims struct {
	Issuer     *string  `json:"iss"`
	Subject    *string  `json:"sub"`
	Audience   audience `json:"aud"`
	Expiry     *int64   `json:"exp"`
	NotBefore  *int64   `json:"nbf"`
	IssuedAt   *int64   `json:"iat"`
	Identifier *string  `json:"jti"`
}

func (c claims) fields() string {
	text := func(value *string) string {
		if value == nil {
			return "-"
		}
		return hex.EncodeToString([]byte(*value))
	}
	date := func(value *int64) string {
		if value == nil {
			return "-"
		}
		return fmt.Sprint(*value)
	}
	audience := "-"
	if c.Audience != nil {
		names := []string{}
		for _, name := range c.Audience {
			names = append(names, hex.EncodeToString([]byte(name)))
		}
		audience = strings.Join(names, ",")
	}
	return fmt.Sprintf("iss=%s sub=%s aud=%s exp=%s nbf=%s iat=%s jti=%s", text(c.Issuer), text(c.Subject), audience,
		date(c.Expiry), date(c.NotBefore), date(c.IssuedAt), text(c.Identifier))
}

// One text for all names that are equal under simple case folding.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if other < least {
				least = other
			}
		}
		return least
	}, name)
}

func same(name string) string { return name }

// How many members there are at all depths, those counted once that are one by `fold`.
func members(value any, fold func(string) string) int {
	count := 0
	switch value := value.(type) {
	case map[string]any:
		seen := map[string]bool{}
		for name, member := range value {
			seen[fold(name)] = true
			count += members(member, fold)
		}
		count += len(seen)
	case []any:
		for _, element := range value {
			count += members(element, fold)
		}
	}
	return count
}

func reading(text []byte, unmarshal func([]byte, any) error, fold func(string) string) string {
	var known claims
	var all map[string]any
	if unmarshal(text, &known) != nil || json.Unmarshal(text, &all) != nil {
		return "refused"
	}
	names := []string{}
	for name := range all {
		names = append(names, hex.EncodeToString([]byte(name)))
	}
	sort.Strings(names)
	return fmt.Sprintf("%s members=%d names=%s", known.fields(), members(all, fold), strings.Join(names, ","))
}

// By name, how a version of the package reads.
var packages = map[string]func([]byte, any) error{"v1": json.Unmarshal}

// Names of one character, and what they are to those who do not regard case.
func printPairs() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if other := unicode.SimpleFold(r); other != r {
			fmt.Fprintf(out, "%x %x\n", string(r), string(other))
		}
	}
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--pairs" {
		printPairs()
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(lines.Bytes())))
		if err != nil {
			panic(err)
		}
		views := []string{}
		for name, unmarshal := range packages {
			views = append(views, name+":"+reading(text, unmarshal, same))
		}
		views = append(views, "folded:"+reading(text, json.Unmarshal, folded))
		fmt.Println(strings.Join(views, "\t"))
	}
}
