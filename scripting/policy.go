package scripting

import (
	"github.com/yuin/gopher-lua"
)

func policyMember() Member {
	return Member{Name: "policy", Type: `"sesame" or "knockd"`, Doc: "Sets the matching rules of the doors of this file, at its head. The default is \"sesame\".",
		Example: `sesame.policy "sesame"`, function: registerPolicy}
}

// registerPolicy sets the policy of the doors that follow. It must come first,
// so that all doors of a file have the same one.
func registerPolicy(s *script, L *lua.LState) int {
	v, _ := s.argument(L, "policy", "")
	name, _ := v.lua.(lua.LString)
	earlier := s.loading.earliest(v.at)
	switch {
	case s.loading.policy:
		v.fail("it is named twice: a file has one policy")
	case earlier != "":
		v.fail("it stands behind %s: write it at the head of the file", earlier)
	case name == "knockd":
		s.loading.knockd = true
	case name != "sesame":
		v.expected(`the policy "sesame" or "knockd"`)
	}
	s.loading.policy = true
	return 0
}
