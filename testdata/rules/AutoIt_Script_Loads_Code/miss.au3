Local $s = DllStructCreate("int x;int y")
MsgBox(0, "Plan", BinaryToString("0x41"))
