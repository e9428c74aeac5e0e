package main

import (
	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/report"
)

func newExplain(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "tell what a finding means, with examples; without a code, list all codes",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return command.One("code")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			rules := plugintest.Rules()
			if len(args) == 1 {
				rule, err := ruleOf(args[0])
				if err != nil {
					return err
				}
				rules = []plugintest.Rule{rule}
			}
			switch {
			case s.json:
				return report.ExplainJSON(cmd.OutOrStdout(), rules)
			case len(args) == 0:
				s.text(cmd).Codes(rules)
			default:
				s.text(cmd).Explain(rules[0])
			}
			return nil
		},
	}
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
