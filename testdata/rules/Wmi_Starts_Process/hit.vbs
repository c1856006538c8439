Set w = GetObject("winmgmts:\\.\root\cimv2:Win32_Process")
w.Create "notepad.exe", Null, Null, id
