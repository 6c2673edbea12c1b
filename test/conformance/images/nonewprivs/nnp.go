// Says as whom it runs: it is setuid root, so the answer depends on whether the container may gain privileges.
package main

import (
	"fmt"
	"os"
)

func main() { fmt.Printf("Effective uid: %d\n", os.Geteuid()) }
