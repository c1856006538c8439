Local $s = DllStructCreate("byte[8]")
DllStructSetData($s, 1, BinaryToString("0x90"))
DllCallAddress("int", DllStructGetPtr($s))
