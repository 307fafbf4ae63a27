//go:build goexperiment.jsonv2

package main

import "encoding/json/v2"

func init() {
	packages["v2"] = func(text []byte, value any) error { return json.Unmarshal(text, value) }
	packages["v2-caseless"] = func(text []byte, value any) error {
		return json.Unmarshal(text, value, json.MatchCaseInsensitiveNames(true))
	}
}
