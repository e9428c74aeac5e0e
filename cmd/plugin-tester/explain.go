package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/report"
)

func newExplain(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain [CODE…]",
		Short: "tell what findings mean, with examples; without a code, list all codes",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := refuseOthers(cmd, "", "json"); err != nil {
				return err
			}
			rules, err := rulesOf(args)
			if err != nil {
				return err
			}
			switch {
			case s.json:
				return report.ExplainJSON(cmd.OutOrStdout(), rules)
			case len(args) == 0:
				s.text(cmd).Codes(rules)
			default:
				s.text(cmd).Explain(rules)
			}
			return s.cannotWrite()
		},
	}
	usesOf(cmd, "json")
	return cmd
}

// rulesOf finds the rules of codes, which may have commas between them as in a report, each once.
// Without a code it is all rules.
func rulesOf(args []string) ([]plugintest.Rule, error) {
	if len(args) == 0 {
		return plugintest.Rules(), nil
	}
	var rules []plugintest.Rule
	for _, code := range strings.FieldsFunc(strings.Join(args, ","), func(r rune) bool { return r == ',' || r == ' ' }) {
		rule, err := ruleOf(code)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(rules, func(have plugintest.Rule) bool { return have.Code == code }) {
			rules = append(rules, rule)
		}
	}
	if len(rules) == 0 {
		return nil, command.Usagef("name a code, or leave it out; plugin-tester explain lists the codes")
	}
	return rules, nil
}

// ruleOf finds the rule of a code that a person has typed.
func ruleOf(code string) (plugintest.Rule, error) {
	rule, ok := plugintest.RuleOf(code)
	if !ok {
		var known []string
		for _, r := range plugintest.Rules() {
			known = append(known, r.Code)
		}
		return rule, command.Usagef("there are no findings with the code %q%s; plugin-tester explain lists the codes", code, suggest.DidYouMean(code, known))
	}
	return rule, nil
}
