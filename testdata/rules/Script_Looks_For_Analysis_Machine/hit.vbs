For Each p In w.ExecQuery("SELECT * FROM Win32_Process")
If p.Name = "wireshark.exe" Or p.Name = "procmon.exe" Or p.Name = "vboxservice.exe" Then WScript.Quit
Next
