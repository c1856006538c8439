For Each p In w.ExecQuery("SELECT * FROM Win32_ComputerSystem")
WScript.Echo p.Name & " on vmware: " & p.Model
Next
