package report

import (
	"io"
	"net/url"
	"path/filepath"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// The part of SARIF 2.1.0 (OASIS, section 3) that a list of findings needs.
type (
	sarifLog struct {
		Version string     `json:"version"`
		Schema  string     `json:"$schema"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifRule struct {
		ID               string      `json:"id"`
		ShortDescription sarifText   `json:"shortDescription"`
		Help             sarifText   `json:"help"`
		Configuration    sarifConfig `json:"defaultConfiguration"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		File   sarifFile    `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"`
	}
	sarifFile struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
)

const (
	sarifSchema = "https://json.schemastore.org/sarif-2.1.0.json"
	homepage    = "https://github.com/nyash-plugins/nyash-go"
)

// SARIF writes reports as one run.
func SARIF(w io.Writer, reports []*plugintest.Report) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "plugin-tester", InformationURI: homepage}}, Results: []sarifResult{}}
	index := make(map[string]int)
	for i, rule := range plugintest.Rules() {
		index[rule.Code] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: rule.Code, ShortDescription: sarifText{rule.Title}, Help: sarifText{rule.Fix}, Configuration: sarifConfig{string(rule.Severity)},
		})
	}
	for _, r := range reports {
		for i := range r.Findings {
			f := &r.Findings[i]
			run.Results = append(run.Results, sarifResult{
				RuleID: f.Code, RuleIndex: index[f.Code], Level: string(f.Severity),
				Message: sarifText{details(f)}, Locations: []sarifLocation{location(f)},
			})
		}
	}
	return contract.WriteJSON(w, sarifLog{Version: "2.1.0", Schema: sarifSchema, Runs: []sarifRun{run}}, "  ")
}

// location is the place in the source, or the library where that is not known.
func location(f *plugintest.Finding) sarifLocation {
	l := sarifLocation{Physical: sarifPhysical{File: sarifFile{reference(f.Library)}}}
	if f.File != "" {
		l.Physical.File.URI = reference(f.File)
		if f.Line > 0 {
			l.Physical.Region = &sarifRegion{f.Line}
		}
	}
	if f.Box != "" || f.Method != "" {
		l.Logical = []sarifLogical{{Name: f.Place(), Kind: "function"}}
	}
	return l
}

// reference is a path as a URI reference, relative where the path is.
func reference(path string) string {
	return (&url.URL{Path: filepath.ToSlash(path)}).String()
}
