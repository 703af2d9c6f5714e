package sandbox

import lua "github.com/yuin/gopher-lua"

// repair corrects what gopher-lua compiles wrongly in constructors (compileTableExpr). Behind each
// full flush of 50 items without a key it decides anew, at each field, whether to flush:
//
//   - behind a field with a key it stores the 50 items again, and by then their registers hold
//     other values or none;
//   - values of "..." or of a call at the end get the number of that flush, and replace its items.
//
// Both show as a second OP_SETLIST with the number of the one before. A flush has a number of nine
// bits, from 1; maxItems keeps it below 511. See vm.go for the layout of the instructions.
func repair(proto *lua.FunctionProto) {
	flushed := map[uint32]uint32{} // by the register of a table: the number of its last flush
	for i, instruction := range proto.Code {
		register := instruction >> 18 & 0xff
		switch number := instruction >> 9 & 0x1ff; int(instruction >> 26) {
		case lua.OP_NEWTABLE:
			flushed[register] = 0
		case lua.OP_SETLIST:
			again, all := number == flushed[register], instruction&0x1ff == 0
			switch flushed[register] = number; {
			case again && all: // all values from the first register on
				proto.Code[i] += 1 << 9
			case again:
				proto.Code[i] = uint32(lua.OP_MOVE)<<26 | register<<18 | register // it does nothing
			}
		}
	}
	for _, inner := range proto.FunctionPrototypes {
		repair(inner)
	}
}
