package inbox

import "github.com/microcosm-cc/bluemonday"

func (i *Inbox) social() {}

func policy() *bluemonday.Policy { return bluemonday.UGCPolicy() }
