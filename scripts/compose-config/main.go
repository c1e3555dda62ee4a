// compose-config FILE...: what `docker compose config --format json` prints, for machines without docker: the files checked
// against the specification, merged, with variables filled in and all profiles on.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:], cli.WithOsEnv, cli.WithProfiles([]string{"*"}), cli.WithName("beatlytica"))
	if err == nil {
		project, failure := options.LoadProject(context.Background())
		if failure == nil {
			var text []byte
			if text, failure = project.MarshalJSON(); failure == nil {
				fmt.Println(string(text))
				return
			}
		}
		err = failure
	}
	fmt.Fprintln(os.Stderr, "compose-config:", err)
	os.Exit(1)
}
