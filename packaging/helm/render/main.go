// Renders the chart with what Helm's engine is made of (text/template, sprig), where helm itself is not at hand.
//
//	go run main.go CHART RELEASE [VALUES.yaml…]
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

type object = map[string]interface{}

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: main CHART RELEASE [VALUES.yaml…]"))
	}
	chart, release := os.Args[1], os.Args[2]
	values := object{}
	for _, file := range append([]string{filepath.Join(chart, "values.yaml")}, os.Args[3:]...) {
		merge(values, read(file))
	}
	about := read(filepath.Join(chart, "Chart.yaml"))
	titled := object{}
	for name, value := range about {
		titled[strings.ToUpper(name[:1])+name[1:]] = value
	}

	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	fail(err)
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(functions(all))
	base := filepath.Base(chart) + "/templates"
	for _, file := range files {
		text, err := os.ReadFile(file)
		fail(err)
		_, err = all.New(base + "/" + filepath.Base(file)).Parse(string(text))
		fail(err)
	}
	for _, file := range files {
		name := base + "/" + filepath.Base(file)
		if !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".txt") {
			continue
		}
		var text bytes.Buffer
		fail(all.ExecuteTemplate(&text, name, object{
			"Values": values, "Chart": titled,
			"Release":  object{"Name": release, "Namespace": "default", "Service": "Helm"},
			"Template": object{"Name": name, "BasePath": base},
		}))
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		rendered := strings.ReplaceAll(text.String(), "<no value>", "")
		if strings.TrimSpace(rendered) != "" {
			fmt.Printf("---\n# Source: %s\n%s\n", name, rendered)
		}
	}
}

func functions(all *template.Template) template.FuncMap {
	these := sprig.TxtFuncMap()
	these["include"] = func(name string, data interface{}) (string, error) {
		var text bytes.Buffer
		err := all.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	these["toYaml"] = func(value interface{}) string {
		text, err := yaml.Marshal(value)
		fail(err)
		return strings.TrimSuffix(string(text), "\n")
	}
	these["toJson"] = func(value interface{}) string {
		text, err := json.Marshal(value)
		fail(err)
		return string(text)
	}
	these["required"] = func(said string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, fmt.Errorf("%s", said)
		}
		return value, nil
	}
	return these
}

func read(file string) object {
	text, err := os.ReadFile(file)
	fail(err)
	values := object{}
	fail(yaml.Unmarshal(text, &values))
	return values
}

func merge(into, from object) {
	for name, value := range from {
		inner, nested := value.(object)
		if outer, both := into[name].(object); nested && both {
			merge(outer, inner)
			continue
		}
		into[name] = value
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
