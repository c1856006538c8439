On Error Resume Next
Dim s
Set s = CreateObject("WScript.Shell")
s.Run "notepad.exe", 1, False
